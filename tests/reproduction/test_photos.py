import json
from pathlib import Path

import pytest
from PIL import Image

from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.recipe.sections import Claim
from retinula.reproduction import reproduce as work
from retinula.reproduction.photos import check_photos, find_photos, folders_to_ask
from retinula.reproduction.reproduce import reproduce
from retinula.runs.run import list_runs
from small_reproductions import Listens, finished_runs, leave_undrawn, photos_in, recipe, run_it, small

DIGITS = tuple(map(str, range(10)))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a.png,cat\n", []),
        (
            "a.png,cat\ngone.png,owl\n",
            ["1 of 2 files of photos/labels.csv names no picture that was given: gone.png"],
        ),
    ],
)
def test_rows_without_a_photo_are_told(rows: str, told: list[str]) -> None:
    Path("photos").mkdir()
    Image.new("L", (8, 8)).save("photos/a.png")
    Path("photos/labels.csv").write_text(rows)
    listens = Listens()
    check_photos(Path("photos"), ("cat", "owl"), listens)
    assert listens.said == told


@pytest.mark.usefixtures("_undrawn")
def test_without_photos_it_says_so(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    finished_runs(trained, of=small())
    listens = Listens()
    assert run_it(reporter=listens, of=small()).rows[-1].verdict == "not measured"
    assert listens.said[-1].startswith(
        "no photos to measure a claim by: mine is in no folder of RETINULA_DATA; --photos"
    )
    assert not Path("out/photos.csv").exists()
    (tmp_path / "data" / "mine").mkdir(parents=True)
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    assert find_photos("mine") == tmp_path / "data" / "mine"
    assert find_photos("others") is None
    assert find_photos("") is None


@pytest.mark.usefixtures("_undrawn")
def test_photos_are_asked_about_anew_and_looked_at_before_training(trained: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(InputError, match="no pictures in"):
        run_it(photos=photos)
    Image.new("L", (8, 8)).save(photos / "a.png")
    table = photos / "labels.csv"
    table.write_text("")
    with pytest.raises(InputError, match="needs at least two columns"):
        run_it(photos=photos)
    assert not list_runs()
    for text, message in (("a.png,eleven\n", "eleven"), ("b.png,1\n", "names none of the pictures")):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            run_it(photos=photos)
    assert not list_runs()
    table.unlink()
    finished_runs(trained)
    listens = Listens()
    assert run_it(reporter=listens, photos=photos).rows[-1].verdict == "not measured"
    assert f"{photos} has no labels.csv to score answers by" in listens.said
    means = []
    for label in range(10):
        table.write_text(f"a.png,{label}\n")
        means.append(run_it(photos=photos).rows[-1].mean)
    assert sorted(map(float, filter(None, means))) == [1.0], "of ten labels the model gives one"


@pytest.mark.usefixtures("_undrawn")
def test_only_the_photos_that_a_recipe_is_measured_by_enter_the_run(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    own = photos_in(tmp_path / "data" / "mine", {"a.png": 1, "b.png": 8})
    photos_in(tmp_path / "others", {"c.png": 3})
    runs = finished_runs(trained, 2, of=small())
    first = run_it(2, of=small())
    assert first.rows[-1].figure == "accuracy on 2 photos (mine)"
    reports, answers = [run.report() for run in runs], runs[0].photos_file.read_text()
    assert [(report["photos"]["folder"], report["photos"]["total"]) for report in reports] == [("mine", 2)] * 2
    assert Path("out/photos.csv").read_text() == answers

    second = run_it(2, photos=Path("others"), of=small())
    assert second.rows[:-1] == first.rows, "claims are measured by the recipe's own"
    row = second.rows[-1]
    assert row.cells[:2] == ("accuracy on 1 photo (others)", "50.00 %")
    assert (row.verdict, len(row.values)) == ("only shown", 2)
    assert [run.report() for run in runs] == reports
    assert runs[0].photos_file.read_text() == answers
    assert "c.png,3," in Path("out/photos.csv").read_text()
    table = json.loads(Path("out/table.json").read_text())
    assert [(each["folder"], each["own"]) for each in table["photos"]] == [(str(own), True), ("others", False)]
    assert [result["total"] for result in table["photos"][1]["results"]] == [1, 1]
    assert "| accuracy on 1 photo (others) | 50.00 % |" in Path("out/table.md").read_text()

    Path("link").symlink_to(own)
    assert run_it(2, photos=Path("link"), of=small()).rows == first.rows, "the very folder"
    same_name = photos_in(tmp_path / "elsewhere" / "mine", {"c.png": 3})
    assert run_it(2, photos=same_name, of=small()).rows[:-1] == first.rows
    assert [run.report() for run in runs] == reports


@pytest.mark.usefixtures("_undrawn")
def test_photos_that_no_claim_is_about_are_shown(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    photos_in(tmp_path / "data" / "mine", {"a.png": 1})
    silent = small().model_copy(update={"claims": small().claims[:1]})
    finished_runs(trained, of=silent)
    accuracy, photos = run_it(of=silent).rows
    assert accuracy.figure == "test accuracy"
    assert (photos.figure, photos.published, photos.verdict) == ("accuracy on 1 photo (mine)", "-", "only shown")
    assert photos.mean in (0.0, 1.0)


@pytest.mark.usefixtures("_undrawn")
def test_a_run_of_another_recipe_of_the_same_settings_is_left_as_it_is(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    photos_in(tmp_path / "data" / "mine", {"a.png": 1})
    (run,) = finished_runs(trained)
    assert run_it(of=small()).rows[-1].verdict == "only shown"
    assert "photos" not in run.report()
    assert not run.photos_file.exists()


def test_a_shipped_recipe_is_measured_by_its_photos_whatever_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path))
    own, mine = tmp_path / "photos-cifar10-classes", tmp_path / "mine"
    for folder in (own, mine):
        photos_in(folder, {"a.png": 1})
    listens = Listens()

    def folders(*settings: str, given: Path | None = None) -> list[tuple[Path, bool]]:
        return list(folders_to_ask(load_recipe("cifar10-cnn", settings), given, DIGITS, listens).items())

    assert folders() == [(own, True)]
    assert folders("figures.photos=mine") == [(own, True), (mine, False)]
    assert folders("validation=0.1") == [(own, True)]
    assert folders_to_ask(recipe(), None, DIGITS, listens) == {}
    assert folders_to_ask(small(), None, DIGITS, listens) == {mine: True}
    assert not listens.said
    assert folders("classes=[0,1]") == []
    assert folders("classes=[0,1]", given=own) == [(own, False)]
    left_out = f"{own} is left out: the recipe is measured by it without data.classes=[0, 1]"
    assert listens.said == [left_out] * 2
    listens.said.clear()
    assert folders("figures.photos=mien") == [(own, True)]
    assert listens.said == ["mien is in no folder of RETINULA_DATA"]


def test_only_photos_that_were_named_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path))
    mine = photos_in(tmp_path / "mine", {"a.png": 1})
    (mine / "labels.csv").write_text("a.png,eleven\n")
    listens = Listens()
    assert folders_to_ask(small(), None, DIGITS, listens) == {}
    (said,) = listens.said
    assert said.startswith(f"{mine} is left out: the label 'eleven' of a.png is no class of this model")
    Path("link").symlink_to(mine)
    with pytest.raises(InputError, match="eleven"):
        folders_to_ask(small(), Path("link"), DIGITS, listens)


@pytest.mark.usefixtures("_undrawn")
def test_photos_that_cannot_be_scored_cost_nothing_else(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    own = photos_in(tmp_path / "data" / "mine", {"a.png": 1})
    others = photos_in(tmp_path / "others", {"c.png": 3})
    (others / "c.png").write_bytes(b"torn")
    finished_runs(trained, of=small())
    listens = Listens()
    result = run_it(photos=others, reporter=listens, of=small())
    assert [photos.folder for photos in result.photos] == [own]
    assert any(said.startswith(f"{others} is left out: none of the pictures") for said in listens.said)


@pytest.mark.usefixtures("_undrawn")
def test_what_a_run_tells_of_its_photos_counts_where_they_are_gone(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    photos_in(tmp_path / "data" / "mine", {"a.png": 1, "b.png": 8})
    finished_runs(trained, of=small())
    first = run_it(of=small())
    monkeypatch.delenv("RETINULA_DATA")
    listens = Listens()
    again = run_it(of=small(), reporter=listens)
    assert again.rows == first.rows
    assert again.rows[-1].figure == "accuracy on 2 photos (mine)"
    assert again.to_dict()["photos"] == [first.to_dict()["photos"][0] | {"folder": "mine"}]
    assert not any("photos" in said for said in listens.said)
    assert not Path("out/photos.csv").exists()


def test_answers_and_drawings_are_of_the_same_photos(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_undrawn(monkeypatch)
    drawn: list[Path | None] = []
    monkeypatch.setattr(work, "draw_work", lambda run, folder, photos, reporter: drawn.append(photos))
    monkeypatch.setenv("RETINULA_DATA", str(tmp_path / "data"))
    own = photos_in(tmp_path / "data" / "mine", {"a.png": 1})
    others = photos_in(tmp_path / "others", {"c.png": 3})
    finished_runs(trained, of=small())
    run_it(of=small())
    assert "a.png" in Path("out/photos.csv").read_text()
    run_it(of=small(), photos=others)
    assert "c.png" in Path("out/photos.csv").read_text()
    (others / "labels.csv").unlink()
    assert run_it(of=small(), photos=others).photos
    assert not Path("out/photos.csv").exists()
    assert drawn == [own, others, others]


@pytest.mark.usefixtures("_undrawn")
def test_a_reconstruction_is_not_asked_for_classes(tmp_path: Path) -> None:
    photos = photos_in(tmp_path / "photos", {"a.png": 1})
    claims = (Claim(metric="psnr", value=10.0),)
    settings = ["model=cifar10-autoencoder", "objective=mse", "metric=val_loss", "normalise=unit", "epochs=1"]
    settled = load_recipe("digits", settings).model_copy(update={"claims": claims})
    result = reproduce(settled, 1, root=Path("runs"), folder=Path("out"), photos=photos)
    assert result.rows[0].mean is not None
    assert "photos" not in result.runs[0].report
