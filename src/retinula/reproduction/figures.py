"""The figures of a work, all in one folder: its run's, the curve of the test pictures, and answers to photos."""

import shutil
from pathlib import Path

from retinula.datasets.unpack import safe_names
from retinula.durable import explained
from retinula.model_file import Model
from retinula.pictures import decode
from retinula.plots import pictures
from retinula.plots.figure import save
from retinula.plots.training import learning_curves
from retinula.prediction import find_pictures, predict_files
from retinula.reproduction.curve import curve_on_test
from retinula.run import Run
from retinula.training.reporting import Reporter


def draw_work(run: Run, folder: Path, photos: Path | None, reporter: Reporter) -> None:
    """Gather and draw everything that a work of this kind shows.

    Args:
        run: finished and measured on its test pictures.
        folder: made where it is missing.
        photos: a folder of photos, or None.
        reporter: told how far it is.

    Raises:
        RetinulaError: the folder cannot be written to.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(run.figures.iterdir()):
            if path.suffix in (".png", ".svg"):
                shutil.copyfile(path, folder / path.name)
    _draw_test_curve(run, folder, reporter)
    if photos is not None and Model.load(run.path).task == "classification":
        _draw_photos(run, folder / "photos", photos, reporter)


def _draw_test_curve(run: Run, folder: Path, reporter: Reporter) -> None:
    rows = [
        {**row, "val_loss": row["test_loss"], "val_accuracy": row["test_accuracy"]}
        for row in curve_on_test(run, reporter)
    ]
    if rows:
        save(learning_curves(rows, held_out="test"), folder, "test-curves-by-epoch")


def _draw_photos(run: Run, folder: Path, photos: Path, reporter: Reporter) -> None:
    """Draw the likeliest classes as bars beside each photo."""
    model = Model.load(run.path)
    references = find_pictures([str(photos)])
    answered = [
        (reference, prediction)
        for reference, prediction in zip(references, predict_files(model, references), strict=True)
        if not prediction.skipped
    ]
    names = safe_names(Path(reference.src).stem for reference, _ in answered)
    for number, (name, (reference, prediction)) in enumerate(zip(names, answered, strict=True), start=1):
        picture = decode(reference.content)
        seen = model.preprocess.shrink(picture)
        save(pictures.prediction(picture, seen, prediction.answers, name=Path(reference.src).name), folder, name)
        reporter.loading("drawing photos", number, len(answered))
