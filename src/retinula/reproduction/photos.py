"""Which folders of labelled photos a reproduction asks its models about.

Those that a recipe is measured by, its own, stand in the report of a run; others only beside them in a table.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from retinula.datasets.load import search_folders
from retinula.errors import InputError
from retinula.prediction.labels import match_labels, read_labels
from retinula.prediction.references import find_pictures
from retinula.recipe.differences import changed_from_shipped
from retinula.recipe.recipe import Recipe
from retinula.reproduction.measures import photos_folder
from retinula.training.reporting import Reporter

LABELS: Final = "labels.csv"


def find_photos(name: str) -> Path | None:
    """Return the folder of photos of that name in one of the folders of `RETINULA_DATA`, or None."""
    places = [place / name for place in search_folders()] if name else []
    return next((place for place in places if place.is_dir()), None)


def folders_to_ask(recipe: Recipe, given: Path | None, classes: Sequence[str], reporter: Reporter) -> dict[Path, bool]:
    """Return the folders of photos to ask about, and of each whether the recipe is measured by it; that one first.

    Args:
        recipe: where `figures.photos` of a shipped one was changed, it is not measured by those; where its pictures
            were, by none.
        given: named beside the recipe; its own where it is that very folder.
        classes: that the model will have; empty for a reconstruction.
        reporter: told which folders are left out, and why.

    Raises:
        InputError: no model of these classes could be asked about the folder given.
    """
    name, shown = photos_folder(recipe), recipe.figures.photos
    own, others = find_photos(name), _other_pictures(recipe)
    if own is not None and classes and others:
        reporter.message(f"{own} is left out: the recipe is measured by it without {', '.join(others)}")
        own = None
    asked = given
    if given is None and shown != name:
        asked = find_photos(shown)
        if asked is None and shown:
            reporter.message(f"{shown} is in no folder of RETINULA_DATA")
    folders = {} if own is None else {own: True}
    if asked is not None and (own is None or asked.resolve() != own.resolve()):
        folders[asked] = False
    usable = {}
    for folder, is_own in folders.items():
        try:
            check_photos(folder, classes, reporter)
        except InputError as error:
            if given is not None and folder.resolve() == given.resolve():
                raise
            reporter.message(f"{folder} is left out: {error}")
        else:
            usable[folder] = is_own
    return usable


def check_photos(folder: Path, classes: Sequence[str], reporter: Reporter) -> None:
    """Refuse a folder whose photos no model of these classes could be asked about.

    Args:
        folder: photos, with a `labels.csv` where their answers are to be scored.
        classes: that the model will have; empty for a reconstruction, which needs no labels.
        reporter: told which rows of the table are none of the photos, and so in no score.

    Raises:
        InputError: no photos, a table of labels that cannot be read, or labels that are no classes.
    """
    references = find_pictures([str(folder)])
    if classes and (folder / LABELS).exists():
        table = folder / LABELS
        if left_over := match_labels(references, read_labels(table), classes).left_over(table):
            reporter.message(left_over)


def _other_pictures(recipe: Recipe) -> list[str]:
    """Return the settings by which a recipe does not learn from the pictures of the shipped one of that name."""
    changed = changed_from_shipped(recipe) or []
    # Those that choose the weights may be others: the classes mean the same.
    return [each for each in changed if each.startswith("data.") and not each.startswith("data.validation")]
