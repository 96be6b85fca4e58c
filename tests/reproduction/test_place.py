import json
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.reproduction.place import (
    changed_before_training,
    check_place,
    files_in,
    free_names,
    make_way,
    move_figures,
    unfinished,
    usual_folder,
)
from small_reproductions import small

OUT = Path("out")


def earlier(*figures: str, **values: Any) -> None:
    """What a reproduction leaves that drew these figures."""
    for name in figures:
        (OUT / "figures" / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / "figures" / name).write_text("drawn")
    OUT.mkdir(exist_ok=True)
    table = {"recipe": "a", "digest": "b", "table": [], "figures": list(figures), **values}
    (OUT / "table.json").write_text(json.dumps({key: value for key, value in table.items() if value != "left out"}))


def draw(*names: str) -> list[str]:
    with unfinished(OUT) as made:
        for name in names:
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text("new")
        make_way(OUT)
        free = free_names(OUT, names)
        move_figures(made, OUT, free)
    return free


def test_figures_of_an_earlier_reproduction_make_way_and_what_is_not_ours_stays() -> None:
    assert draw("loss.png") == ["loss.png"]
    earlier("loss.png", "photos/a.png", "photos/a.svg", "gone/b.png")
    (OUT / "figures/photos/notes.txt").write_text("mine")
    (OUT / "figures/mine.png").write_text("mine")
    assert draw("loss.png", "photos/b.png") == ["loss.png", "photos/b.png"]
    assert files_in(OUT / "figures") == ["loss.png", "mine.png", "photos/b.png", "photos/notes.txt"]
    assert not (OUT / "figures/gone").exists()
    assert (OUT / "figures/loss.png").read_text() == "new"
    assert (OUT / "figures/mine.png").read_text() == "mine"
    assert sorted(path.name for path in OUT.iterdir()) == ["figures", "table.json"], "nothing half written"


def test_what_earlier_versions_drew_makes_way_though_they_did_not_list_it() -> None:
    earlier("photos/a.png", figures="left out")
    (OUT / "figures/notes.txt").write_text("mine")
    assert draw("loss.png") == ["loss.png"]
    assert files_in(OUT / "figures") == ["loss.png", "notes.txt"]


def test_no_file_is_written_over_or_reached_through_a_link(tmp_path: Path) -> None:
    earlier("time.png")
    (OUT / "figures/loss.png").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").write_text("mine")
    (OUT / "figures/photos").symlink_to(elsewhere)
    (OUT / "notes.txt").write_text("mine")
    table = json.loads((OUT / "table.json").read_text())
    hostile: list[Any] = ["../notes.txt", "photos/a.png", str(elsewhere / "a.png"), "\0", [], None]
    (OUT / "table.json").write_text(json.dumps(table | {"figures": [*table["figures"], *hostile]}))
    assert draw("loss.png", "photos/b.png", "time.png") == ["time.png"]
    assert [path.read_text() for path in (OUT / "figures/loss.png", OUT / "notes.txt")] == ["mine"] * 2
    assert [path.name for path in elsewhere.iterdir()] == ["a.png"]
    assert (OUT / "figures/photos").is_symlink()


def test_figures_stay_where_drawing_breaks_off() -> None:
    earlier("loss.png")
    with pytest.raises(RuntimeError), unfinished(OUT):
        raise RuntimeError
    assert (OUT / "figures/loss.png").read_text() == "drawn"
    assert sorted(path.name for path in OUT.iterdir()) == ["figures", "table.json"]


def test_what_a_killed_call_left_is_no_file_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    left = OUT / ".retinula-a" / "photos"
    left.mkdir(parents=True)
    (left / "a.png").write_text("half")
    assert files_in(OUT) == []
    with unfinished(OUT):
        assert left.exists(), "somebody may be at it"
    later = left.stat().st_ctime + 3600
    monkeypatch.setattr("retinula.files.durable.time.time", lambda: later)
    with unfinished(OUT):
        assert not left.exists()


@pytest.mark.parametrize(
    "name",
    [
        "table.md",
        "table.json",
        "photos.csv",
        "layers.txt",
        "classes-test.csv",
        "classes-train.csv",
        "figures",
        "figures/mine.txt",
    ],
)
def test_what_no_reproduction_has_written_is_not_written_over(name: str) -> None:
    OUT.mkdir()
    (OUT / "notes.txt").write_text("mine")
    check_place(OUT)
    (OUT / name).parent.mkdir(exist_ok=True)
    (OUT / name).write_text("[]")
    with pytest.raises(InputError, match=f"out/{name} is of no reproduction; move it away, or name another"):
        check_place(OUT)
    if name != "figures":
        earlier(photos=[{}], tables=["layers.txt", "classes-test.csv", "classes-train.csv"])
        check_place(OUT)


@pytest.mark.parametrize("key", ["figures", "tables"])
@pytest.mark.parametrize("listed", [None, 3])
def test_a_table_that_is_not_whole_is_refused(key: str, listed: object) -> None:
    earlier(**{key: listed})
    with pytest.raises(InputError, match=r"out/table\.json is of no reproduction"):
        check_place(OUT)


def test_tables_of_an_earlier_reproduction_go_and_no_others() -> None:
    earlier(tables=["layers.txt", "notes.txt", "../classes-test.csv"])
    for name in ("layers.txt", "notes.txt"):
        (OUT / name).write_text("whose?")
    make_way(OUT)
    assert sorted(path.name for path in OUT.iterdir()) == ["notes.txt", "table.json"]
    (OUT / "classes-test.csv").write_text("mine")
    with pytest.raises(InputError, match=r"out/classes-test\.csv is of no reproduction"):
        check_place(OUT)


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        ({}, False),
        ({"photos": []}, False),
        ({"photos": [{}]}, True),
        ({"photos": [{}], "answers": None}, False),
        ({"photos": [{}], "answers": "photos.csv"}, True),
    ],
)
def test_answers_of_an_earlier_reproduction_go_and_no_others(told: dict[str, Any], ours: bool) -> None:
    earlier(**told)
    answers = OUT / "photos.csv"
    answers.write_text("whose?")
    if ours:
        check_place(OUT)
    else:
        with pytest.raises(InputError, match=r"out/photos\.csv is of no reproduction"):
            check_place(OUT)
    make_way(OUT)
    assert answers.exists() != ours


@pytest.mark.parametrize(
    ("name", "settings", "beside"),
    [
        ("cifar10-cnn", [], False),
        ("cifar10-cnn", ["seed=3"], True),
        ("cifar10-cnn", ["figures.photos=mine"], True),
        ("cifar10-cnn", ["steps=2"], True),
        ("cifar100-transfer", [], False),
        ("cifar100-transfer", ["weights=mine"], True),
        ("cifar100-transfer", ["model=mobilenetv2"], True),
    ],
)
def test_changed_settings_go_beside_the_work(name: str, settings: list[str], beside: bool) -> None:
    recipe = load_recipe(name, settings)
    expected = f"{name}-{recipe.digest()[:8]}" if beside else name
    assert usual_folder(recipe, load_recipe(name)) == Path("reproductions") / expected


def test_a_recipe_of_ones_own_goes_by_its_name_and_with_settings_beside_it() -> None:
    assert usual_folder(small(), small()) == Path("reproductions/small")
    other = small("epochs=3")
    assert usual_folder(other, small()) == Path(f"reproductions/small-{other.digest()[:8]}")
    file = load_recipe("digits", ["epochs=3"])
    assert usual_folder(file, file) != Path("reproductions/digits"), "which is that of the shipped one"


@pytest.mark.parametrize(
    ("name", "settings", "changed"),
    [
        ("cifar10-cnn", ["weights=x.safetensors"], ["model.weights=x.safetensors"]),
        ("cifar10-cnn", ["epochs=2"], ["training.epochs=2"]),
        ("cifar100-transfer", [], []),
        ("cifar100-transfer", ["weights=mine"], ["without model.arguments.dropout", "model.weights=mine"]),
    ],
)
def test_the_model_that_a_work_begins_from_is_told_once(name: str, settings: list[str], changed: list[str]) -> None:
    assert changed_before_training(load_recipe(name, settings)) == changed
