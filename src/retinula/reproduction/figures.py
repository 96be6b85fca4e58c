"""The figures of a work, all in one folder: of its run, from inside the network, and of photos."""

import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path

from retinula.datasets.unpack import safe_names
from retinula.depiction import depict_features, depict_filters
from retinula.errors import InputError
from retinula.evaluation.run_data import find_own
from retinula.explanation.features import seen_picture
from retinula.explanation.layers import convolutions
from retinula.images import Images, ImageSet
from retinula.pictures.decoding import as_picture, decode
from retinula.plots import pictures
from retinula.plots.distortion import distortions
from retinula.plots.epochs import learning_curves
from retinula.plots.figure import save
from retinula.prediction.predict import predict_files
from retinula.prediction.references import Reference, find_pictures
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Augmentation
from retinula.reconstruction import reconstruct_files, side_by_side, write_picture
from retinula.reproduction.curve import curve_on_test
from retinula.reproduction.measures import NOISE
from retinula.runs.run import Run
from retinula.trained.answers import judged, ranked
from retinula.trained.model_file import Model
from retinula.training.loss_words import only_in_training
from retinula.training.plan import augment_of
from retinula.training.reporting import Reporter

MOST_LAYERS = 12  # whose filters and maps get a figure each
A_PICTURE = "a test picture"
MOST_PHOTOS = 12  # reconstructed at their own size, which takes a while


def draw_work(run: Run, folder: Path, photos: Path | None, reporter: Reporter) -> None:
    """Gather and draw everything that a work of this kind shows.

    Args:
        run: finished and measured on its test pictures.
        folder: there, and empty.
        photos: a folder of photos, or None.
        reporter: told how far it is.

    Raises:
        OSError: the folder cannot be written to.
    """
    for path in sorted(run.figures.glob("*.*")):
        if path.suffix in (".png", ".svg"):
            shutil.copyfile(path, folder / path.name)
    model = Model.load(run.path)
    own = find_own(run, reporter.loading)
    test_set = own.of("test")
    _draw_test_curve(run, test_set, folder, reporter)
    _draw_inside(model, test_set.images[0], folder)
    if model.classifies:
        _draw_answer(model, test_set, folder)
    _draw_distortions(run.recipe(), own.of("train").images[0], folder)
    if photos is not None:
        draw = _draw_answers if model.classifies else _draw_reconstructions
        draw(model, find_pictures([str(photos)]), folder / "photos", reporter)


def _draw_test_curve(run: Run, test_set: ImageSet, folder: Path, reporter: Reporter) -> None:
    rows = [
        {**row, "val_loss": row["test_loss"], "val_accuracy": row["test_accuracy"]}
        for row in curve_on_test(run, test_set, reporter)
    ]
    if rows:
        figure = learning_curves(rows, held_out="test", only_in_training=only_in_training(run.recipe()))
        save(figure, folder, "test-curves-by-epoch")


def _draw_inside(model: Model, picture: Images, folder: Path) -> None:
    """Draw the filters of the convolutions, and what each of these makes of one picture."""
    if not convolutions(model.network):
        return
    try:
        filters = depict_filters(model).figures
    except InputError:  # filters of 1x1 have no form to be seen
        filters = iter(())
    for name, figure in islice(filters, MOST_LAYERS):
        save(figure, folder, name)
    features = depict_features(model, [(A_PICTURE, as_picture(picture))]).figures
    for name, figure in islice(features, 1 + MOST_LAYERS):
        save(figure, folder, name.replace(" ", "-"))


def _draw_answer(model: Model, test_set: ImageSet, folder: Path) -> None:
    """Draw the likeliest classes as bars beside the picture whose maps are drawn."""
    picture = as_picture(test_set.images[0])
    ((probabilities, unfamiliar),) = judged(model, [model.look_at(picture)])
    correct = None if test_set.labels is None else test_set.classes[test_set.labels[0]]
    answers, seen = ranked(model.classes, probabilities), seen_picture(model, test_set.images[0])
    figure = pictures.prediction(
        picture, seen, answers, name=A_PICTURE, classes=model.classes, correct=correct, unfamiliar=unfamiliar
    )
    save(figure, folder, f"answer-{A_PICTURE.replace(' ', '-')}")


def _draw_distortions(recipe: Recipe, picture: Images, folder: Path) -> None:
    """Draw a training picture and nine of those that the recipe's augmentation makes of it, where it has one."""
    if recipe.augment != Augmentation():
        augment = augment_of(recipe)
        with suppress(InputError):  # mixing alone does nothing to a single picture
            save(
                distortions(picture, augment, name="a training picture", recipe=recipe.name, seed=recipe.seed),
                folder,
                "distortions",
            )


def _draw_answers(model: Model, references: list[Reference], folder: Path, reporter: Reporter) -> None:
    """Draw the likeliest classes as bars beside each photo."""
    answered = [
        (reference, prediction)
        for reference, prediction in zip(references, predict_files(model, references), strict=True)
        if not prediction.skipped
    ]
    names = safe_names(Path(reference.src).stem for reference, _ in answered)
    for number, (name, (reference, prediction)) in enumerate(zip(names, answered, strict=True), start=1):
        picture = decode(reference.content)
        seen = seen_picture(model, model.shrink(picture))
        figure = pictures.prediction(
            picture,
            seen,
            prediction.answers,
            name=Path(reference.src).name,
            classes=model.classes,
            unfamiliar=prediction.unfamiliar,
        )
        save(figure, folder, name)
        reporter.loading("drawing photos", number, len(answered))


def _draw_reconstructions(model: Model, references: list[Reference], folder: Path, reporter: Reporter) -> None:
    """Put each photo, with noise, beside what the network makes of it."""
    chosen = references[:MOST_PHOTOS]
    names = safe_names(Path(reference.src).stem for reference in chosen)
    for number, (name, (_, made)) in enumerate(
        zip(names, reconstruct_files(model, chosen, noise=NOISE), strict=True), start=1
    ):
        if not isinstance(made, str):
            shown = [made.original, made.noised, made.result]
            write_picture(folder / f"{name}.png", side_by_side(image for image in shown if image is not None))
        reporter.loading("drawing photos", number, len(chosen))
