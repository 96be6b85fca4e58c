"""What is to be written where nothing may be is refused before the work, which takes seconds to hours."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from command_line import run_command
from retinula.files.durable import write_json
from retinula.models.catalog import build
from retinula.recipe.files import load_recipe
from retinula.runs.run import create_run
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess
from small_runs import whole_report


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("evaluate", "mine"), "runs/mine"),
        (("evaluate", "mine", "--out", "there/deep"), "there/deep"),
        (("report", "mine"), "runs/mine/report.html"),
        (("report", "mine", "--out", "page.html"), "page.html"),
        (("export", "mine"), "runs/mine/model.onnx"),
        (("export", "mine", "--format", "web", "--out", "there"), "there"),
        (("explain", "mine", "missing.png"), "runs/mine/figures"),
        (("predict", "mine", "missing.png", "--csv", "a.csv"), "a.csv"),
        (("predict", "mine", "missing.png", "--plot", "drawn"), "drawn"),
        (("reconstruct", "mine", "missing.png"), "reconstructed"),
        (("data", "show", "missing"), "sheets"),
        (("data", "unpack", "missing", "there"), "there"),
        (("reproduce", "cifar10-cnn"), "reproductions/cifar10-cnn"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_told_before_the_work(
    words: tuple[str, ...],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pictures and data are missing, and nobody gets to notice."""
    form = Preprocess(3, (16, 16), (0.0,) * 3, (1.0,) * 3)
    network = build("cifar10-augmented", num_classes=3, channels=3, size=(16, 16)).eval()
    run = create_run(load_recipe("digits"), {}, "mine", tmp_path / "runs")
    Model(network, "cifar10-augmented", {}, ("a", "b", "c"), form).save(run.model_file)
    write_json(run.report_file, whole_report())

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.chdir(tmp_path)
    out, err = run_command(monkeypatch, capsys, *words, code=2)
    assert (out, err) == ("", f"retinula: cannot write {place}: Read-only file system\n")
