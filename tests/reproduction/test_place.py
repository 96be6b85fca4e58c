import json
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.recipe_files import load_recipe
from retinula.reproduction.place import check_place, files_in, forget_answers, new_figures, usual_folder
from small_reproductions import small

OUT = Path("out")


def earlier(*figures: str, **values: Any) -> None:
    """What a reproduction leaves that drew these figures."""
    for name in figures:
        (OUT / "figures" / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / "figures" / name).write_text("drawn")
    table = {"recipe": "a", "digest": "b", "table": [], "figures": list(figures), **values}
    (OUT / "table.json").write_text(json.dumps({key: value for key, value in table.items() if value is not None}))


def draw(*names: str) -> list[str]:
    with new_figures(OUT) as made:
        for name in names:
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text("new")
    return files_in(OUT / "figures")


def test_figures_of_an_earlier_reproduction_make_way_and_what_is_not_ours_stays() -> None:
    OUT.mkdir()
    assert draw("loss.png") == ["loss.png"]
    earlier("loss.png", "photos/a.png", "photos/a.svg")
    (OUT / "figures/photos/notes.txt").write_text("mine")
    (OUT / "figures/mine.png").write_text("mine")
    assert draw("loss.png", "photos/b.png") == ["loss.png", "mine.png", "photos/b.png", "photos/notes.txt"]
    assert (OUT / "figures/loss.png").read_text() == "new"
    assert (OUT / "figures/mine.png").read_text() == "mine"
    assert sorted(path.name for path in OUT.iterdir()) == ["figures", "table.json"], "nothing half written"


def test_what_earlier_versions_drew_makes_way_though_they_did_not_list_it() -> None:
    OUT.mkdir()
    earlier("photos/a.png", figures=None)
    (OUT / "figures/notes.txt").write_text("mine")
    assert draw("loss.png") == ["loss.png", "notes.txt"]


def test_figures_in_a_folder_of_no_reproduction_stay() -> None:
    (OUT / "figures").mkdir(parents=True)
    (OUT / "figures/mine.png").write_text("mine")
    check_place(OUT)
    assert draw("loss.png") == ["loss.png", "mine.png"]


def test_figures_stay_where_drawing_breaks_off() -> None:
    OUT.mkdir()
    earlier("loss.png")
    with pytest.raises(RuntimeError), new_figures(OUT):
        raise RuntimeError
    assert (OUT / "figures/loss.png").read_text() == "drawn"


@pytest.mark.parametrize("name", ["table.md", "table.json", "photos.csv", "figures"])
def test_what_no_reproduction_has_written_is_not_written_over(name: str) -> None:
    OUT.mkdir()
    (OUT / "notes.txt").write_text("mine")
    check_place(OUT)
    (OUT / name).write_text("[]")
    with pytest.raises(InputError, match=f"out/{name} is of no reproduction; move it away, or name another"):
        check_place(OUT)
    if name != "figures":
        earlier()
        check_place(OUT)


def test_answers_of_an_earlier_reproduction_go_and_no_others() -> None:
    OUT.mkdir()
    answers = OUT / "photos.csv"
    answers.write_text("mine")
    forget_answers(OUT)
    earlier(photos=[])
    forget_answers(OUT)
    assert answers.exists()
    earlier(photos=[{}])
    forget_answers(OUT)
    assert not answers.exists()


@pytest.mark.parametrize(
    ("name", "settings", "beside"),
    [
        ("cifar10-cnn", [], False),
        ("cifar10-cnn", ["seed=3"], False),
        ("cifar10-cnn", ["steps=2"], True),
        ("cifar100-transfer", [], False),
        ("cifar100-transfer", ["weights=mine"], True),
        ("cifar100-transfer", ["model=mobilenetv2"], True),
    ],
)
def test_changed_settings_go_beside_the_work(name: str, settings: list[str], beside: bool) -> None:
    recipe = load_recipe(name, settings)
    expected = f"{name}-{recipe.digest()[:8]}" if beside else name
    assert usual_folder(recipe) == Path("reproductions") / expected


def test_a_recipe_of_ones_own_goes_by_its_name() -> None:
    assert usual_folder(small()) == Path("reproductions/small")
