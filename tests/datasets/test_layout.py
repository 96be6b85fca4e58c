import unicodedata
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinula.datasets.layout import Layout, arrange, natural_order
from retinula.errors import InputError


def arranged(names: list[str], fraction: float = 0.2, seed: int = 0) -> Layout:
    return arrange(names, "photos", fraction, seed)


def by_class(layout: Layout) -> dict[str, dict[str, list[str]]]:
    """Split -> class -> names."""
    result: dict[str, dict[str, list[str]]] = {}
    for split, labels in layout.splits.items():
        for name, label in labels.items():
            result.setdefault(split, {}).setdefault(layout.classes[label], []).append(name)
    return result


def pictures(counts: Mapping[str, int], above: str = "") -> list[str]:
    return [f"{above}{name}/{number}.png" for name, count in counts.items() for number in range(count)]


def test_splits_as_folders() -> None:
    names = ["train/cat/1.png", "train/dog/a/b/2.png", "test/cat/1.png", "val/dog/1.png"]
    layout = arranged(names)
    assert layout.classes == ("cat", "dog")
    assert layout.splits == {
        "train": {"train/cat/1.png": 0, "train/dog/a/b/2.png": 1},
        "test": {"test/cat/1.png": 0},
        "validation": {"val/dog/1.png": 1},
    }
    assert list(layout.splits) == ["train", "test", "validation"]
    assert layout.main_split == "train"
    assert layout.strays == []


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("val", "validation"),
        ("valid", "validation"),
        ("Validation", "validation"),
        ("Test", "test"),
        ("testing", "test"),
        ("test_set", "test"),
        ("evaluation", "test"),
        ("Eval", "test"),
        ("validation_set", "validation"),
        ("dev", "validation"),
    ],
)
def test_names_of_splits(folder: str, split: str) -> None:
    layout = arranged([*pictures({"a": 1, "b": 1}, "Training/"), f"{folder}/a/1.png"])
    assert by_class(layout)[split] == {"a": [f"{folder}/a/1.png"]}


@pytest.mark.parametrize("above", ["", "top/", "very/deep/below/"])
def test_folders_around_change_nothing(above: str) -> None:
    plain = arranged(pictures({"cat": 10, "dog": 10}))
    layout = arranged(pictures({"cat": 10, "dog": 10}, above))
    assert layout.classes == ("cat", "dog")
    assert [list(labels) for labels in layout.splits.values()] == [
        [above + name for name in labels] for labels in plain.splits.values()
    ]
    layout = arranged(pictures({"cat": 1, "dog": 1}, above + "train/"))
    assert layout.classes == ("cat", "dog")


def test_a_class_is_the_first_level() -> None:
    layout = arranged(["cat/indoor/1.png", "cat/2.png", "dog/park/big/1.png", "dog/2.png"])
    assert layout.classes == ("cat", "dog")
    assert sum(map(len, layout.splits.values())) == 4


def test_trains_can_be_a_class() -> None:
    assert arranged(pictures({"train": 3, "car": 3, "bus": 3})).classes == ("bus", "car", "train")


def test_what_could_be_either_is_refused() -> None:
    with pytest.raises(InputError, match=r"inside train/, which looks like a split, next to car/, which does not"):
        arranged(["train/steam/1.png", "train/diesel/1.png", "car/1.png"])


@pytest.mark.parametrize("folder", ["dev", "Eval", "evaluation", "training_set", "test_set", "validation_set"])
def test_some_names_say_a_split_only_beside_another(folder: str) -> None:
    layout = arranged(pictures({"a": 5, "b": 5}, f"{folder}/"))
    assert layout.classes == ("a", "b")
    assert {split: len(labels) for split, labels in layout.splits.items()} == {"train": 8, "test": 2}
    assert arranged([f"{folder}/a/1.png", "prod/b/1.png"]).classes == tuple(sorted((folder, "prod"), key=natural_order))


@pytest.mark.parametrize(
    "names",
    [
        ["1.png"],
        ["imgs/1.png"],
        ["train/1.png", "test/1.png"],
        ["train/imgs/1.png", "test/imgs/2.png"],
        ["train/a/1.png", "b/1.png"],
    ],
)
def test_where_folders_do_not_say_a_table_may(names: list[str]) -> None:
    for tables, words in (
        (["a.csv"], "; there is a table photos/a.csv: give that if it names the classes; expected a folder a class"),
        (["deep/a.csv", "c.csv", "b.tsv"], "; there are tables photos/b.tsv, photos/c.csv: give the one that names"),
        (["sample.csv", "Train.csv", "x/train.csv"], "; there is a table photos/Train.csv: give that"),
        ([f"{n}.csv" for n in range(5)], "tables photos/0.csv, photos/1.csv, photos/2.csv and 2 more: give the one"),
        ([], "; expected .*, or a table"),
    ):
        with pytest.raises(InputError, match=words):
            arrange(names, "photos", 0.2, 0, tables=tables)


def test_training_set_and_test_set() -> None:
    names = [*pictures({"cat": 1, "dog": 1}, "training_set/"), *pictures({"cat": 1, "dog": 2}, "test_set/")]
    layout = arranged(names)
    assert layout.classes == ("cat", "dog")
    assert {split: len(labels) for split, labels in layout.splits.items()} == {"train": 2, "test": 3}


def test_folders_beside_splits_are_strays() -> None:
    layout = arranged(
        [*pictures({"a": 1, "b": 1}, "train/"), "test/a/1.png", "extra/1.png", "train/loose.png", "top.png"]
    )
    assert by_class(layout) == {
        "train": {"a": ["train/a/0.png"], "b": ["train/b/0.png"]},
        "test": {"a": ["test/a/1.png"]},
    }
    assert {stray.source for stray in layout.strays} == {"extra/1.png", "train/loose.png", "top.png"}
    assert {stray.reason for stray in layout.strays} == {"it does not lie in the folder of a class"}


def test_only_pictures_to_test_on() -> None:
    layout = arranged(["test/b/1.png", "test/a/1.png"])
    assert layout.splits == {"test": {"test/a/1.png": 0, "test/b/1.png": 1}}
    assert layout.main_split == "test"


def test_what_reads_the_same_is_one_class() -> None:
    kuehe, apart = (unicodedata.normalize(form, "Kühe") for form in ("NFC", "NFD"))
    layout = arranged([f"train/{apart}/1.png", "train/dog/1.png", f"train/{kuehe}/2.png", f"test/{kuehe}/3.png"])
    assert layout.classes == ("dog", kuehe)
    assert layout.splits["train"] == {"train/dog/1.png": 0, f"train/{apart}/1.png": 1, f"train/{kuehe}/2.png": 1}
    assert layout.splits["test"] == {f"test/{kuehe}/3.png": 1}


def test_classes_in_natural_order() -> None:
    assert arranged(pictures({"class 10": 1, "Class 9": 1, "apple": 1, "class 1": 1})).classes == (
        "apple",
        "class 1",
        "Class 9",
        "class 10",
    )


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no pictures in photos; expected a folder a class"),
        (["1.png", "2.png"], "no folders in photos; expected"),
        (["cat/1.png", "cat/2.png", "3.png"], "only one class, 'cat', in photos; expected"),
        (["train/cat/1.png", "test/cat/1.png"], "only one class, 'cat', in photos; expected"),
        (["cat/1.png", f"{'long' * 64}/1.png"], "photos: no class can be called 'longlong"),
        (["train/1.png", "test/2.png", "train/3.png"], "in photos are test/ and train/, which are called like splits"),
        (
            ["test_set/1.png", "Training_set/2.png"],
            "are test_set/ and Training_set/, which are called like splits, and no",
        ),
        (
            [*pictures({"a": 2, "b": 2}, "train/"), "test/a/1.png", "eval/b/1.png"],
            "has both 'eval' and 'test' to test on",
        ),
        (["train/cat/1.png", "train/dog/1.png", "test/cta/1.png"], "test/cta/1.png is of a class .* mean 'cat'"),
    ],
)
def test_layouts_that_cannot_be_meant(names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        arranged(names)


class TestShare:
    @given(
        counts=st.lists(st.integers(1, 40), min_size=2, max_size=5),
        fraction=st.floats(0.01, 0.99),
        seed=st.integers(0, 5),
    )
    def test_is_exact_in_every_class(self, counts: list[int], fraction: float, seed: int) -> None:
        sizes = {f"c{number}": count for number, count in enumerate(counts)}
        layout = arranged(pictures(sizes), fraction, seed)
        found = by_class(layout)
        for name, count in sizes.items():
            train, test = found["train"].get(name, []), found.get("test", {}).get(name, [])
            assert len(train) + len(test) == count
            assert not set(train) & set(test)
            wanted = int(count * fraction + 0.5)
            assert len(test) == (0 if count == 1 else min(max(wanted, 1), count - 1))

    def test_one_in_five(self) -> None:
        found = by_class(arranged(pictures({"a": 10, "b": 20, "c": 2, "d": 1})))
        assert {name: len(names) for name, names in found["test"].items()} == {"a": 2, "b": 4, "c": 1}
        assert {name: len(names) for name, names in found["train"].items()} == {"a": 8, "b": 16, "c": 1, "d": 1}

    @settings(max_examples=50)
    @given(count=st.integers(2, 60), seed=st.integers(0, 9), added=st.text("abcdef", min_size=1, max_size=8))
    def test_a_picture_added_moves_at_most_one(self, count: int, seed: int, added: str) -> None:
        names = pictures({"x": count, "y": 5})
        before = arranged(names, seed=seed).splits
        after = arranged([*names, f"x/{added}.png"], seed=seed).splits
        moved = set(before["train"]) & set(after["test"]) | set(before["test"]) & set(after["train"])
        assert len(moved) <= 1
        assert all(name.startswith("x/") for name in moved)

    @given(order=st.permutations(pictures({"a": 6, "b": 6})))
    def test_does_not_depend_on_the_order(self, order: list[str]) -> None:
        assert arranged(order).splits == arranged(pictures({"a": 6, "b": 6})).splits

    def test_depends_on_the_seed(self) -> None:
        names = pictures({"a": 30, "b": 30})
        assert len({tuple(arranged(names, seed=seed).splits["test"]) for seed in range(5)}) == 5

    def test_is_taken_where_only_validation_is_given(self) -> None:
        names = [*pictures({"a": 5, "b": 5}, "train/"), "val/a/1.png"]
        counts = {split: len(labels) for split, labels in arranged(names).splits.items()}
        assert counts == {"train": 8, "test": 2, "validation": 1}

    def test_for_ever_the_same(self) -> None:
        # Written down: another program, or a later version, must not test on what an earlier one trained on.
        # By sha256sum of "0/0.png" to "0/9.png" the smallest are those of 6 and 2.
        assert by_class(arranged(pictures({"a": 10, "b": 5})))["test"] == {
            "a": ["a/2.png", "a/6.png"],
            "b": ["b/2.png"],
        }


@given(st.lists(st.text(max_size=6)))
def test_natural_order_is_an_order(names: list[str]) -> None:
    backward = names[::-1]
    assert sorted(names, key=natural_order) == sorted(backward, key=natural_order)


def test_natural_order() -> None:
    names = ["img12.png", "IMG2.png", "img1.png", "img2.png", "a/10", "a/9", "", "7"]
    expected = ["", "7", "a/9", "a/10", "img1.png", "IMG2.png", "img2.png", "img12.png"]
    assert sorted(names, key=natural_order) == expected


def test_natural_order_of_numbers_longer_than_python_reads() -> None:
    nine, ten = "9" * 5000, "1" + "0" * 5000
    assert sorted([f"a{ten}", f"a{nine}", "a12"], key=natural_order) == ["a12", f"a{nine}", f"a{ten}"]


def test_natural_order_looks_at_what_numbers_are_and_not_how_they_are_written() -> None:
    nine, ten = "a\N{ARABIC-INDIC DIGIT NINE}", "a\N{ARABIC-INDIC DIGIT ZERO}10"
    assert sorted(["a11", nine, "a008", ten, "a0"], key=natural_order) == ["a0", "a008", nine, ten, "a11"]
