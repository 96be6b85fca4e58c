import json
from pathlib import Path

import pytest

from command_line import run_command
from small_reproductions import finished_runs, photos_in, recipe, run_it, small


@pytest.mark.usefixtures("_undrawn")
def test_changed_settings_seeds_and_runs_are_told(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    finished_runs(trained, 2)
    photos_in(tmp_path / "mine", {"a.png": 1})
    better = recipe().model_copy(update={"better": "cifar10-fast"})
    Path("digits.toml").write_text(better.to_toml())
    said, _ = run_command(monkeypatch, capsys, "reproduce", "digits.toml", "--seeds", "2", "--photos", "mine")
    settings = "model.arguments.width=0.25, training.epochs=2"
    folder = f"reproductions/digits-{recipe().digest()[:8]}"
    lines = said.splitlines()
    assert lines[0] == f"digits with {settings}: a work | of ours"
    notes = [
        f"settings: {settings}",
        "seeds: 0, 1",
        "runs: digits-seed0, digits-seed1",
        "cifar10-fast is meant to go further; there is no run of it here: measure it with "
        "`retinula reproduce cifar10-fast`",
    ]
    tables = [("table", name) for name in ("table.md", "layers.txt", "classes-test.csv")]
    written = [*tables, ("figures", "figures"), ("photos", "photos.csv")]
    assert lines[-9:] == [*notes, *(f"{what:<8} {folder}/{file}" for what, file in written)]
    page = Path(folder, "table.md").read_text()
    assert page.startswith(f"# digits with {settings}\n")
    assert all(f"- {note}\n" in page for note in notes)
    table = json.loads(Path(folder, "table.json").read_text())
    assert (table["changed"], table["seeds"]) == (settings.split(", "), [0, 1])
    assert table["runs"] == ["runs/digits-seed0", "runs/digits-seed1"]
    assert table["better"]["command"] == "retinula reproduce cifar10-fast"
    assert Path(folder, "photos.csv").read_text().count("\n") == 2


@pytest.mark.usefixtures("_undrawn")
def test_a_recipe_of_ones_own_and_no_photos(trained: Path, tmp_path: Path) -> None:
    finished_runs(trained, of=small())
    photos = photos_in(tmp_path / "others", {"a.png": 1})
    run_it(photos=photos, of=small())
    assert Path("out/photos.csv").exists()
    result = run_it(of=small())
    assert result.notes[0] == "settings: from your own recipe file"
    assert result.title == "small"
    assert not Path("out/photos.csv").exists(), "none of an earlier reproduction"
