"""Where a reproduction goes: its folder; what of an earlier one makes way in it, and what is not ours and stays."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retinula.differences import changed_from_shipped
from retinula.durable import UNFINISHED, check_folder, explained, read_text, replacing_folder
from retinula.errors import InputError
from retinula.recipe import Recipe
from retinula.recipe_files import load_recipe

FOLDER = Path("reproductions")
PAGE, TABLE, ANSWERS, FIGURES = "table.md", "table.json", "photos.csv", "figures"


def changed_before_training(recipe: Recipe) -> list[str] | None:
    """Return the changed settings against the shipped recipe of that name; None where none is shipped.

    Of a recipe that no training has settled yet, so that the model that it begins from counts, too.
    """
    changed = changed_from_shipped(recipe)
    if changed is None:
        return None
    weights = recipe.model.weights
    if weights != load_recipe(recipe.name).model.weights:
        changed.append(f"model.weights={weights}" if weights else "without model.weights")
    return changed


def usual_folder(recipe: Recipe) -> Path:
    """Return where a reproduction goes unless told otherwise: with changed settings, not where that of the work is."""
    digits = f"-{recipe.digest()[:8]}" if changed_before_training(recipe) else ""
    return FOLDER / f"{recipe.name}{digits}"


def check_place(folder: Path) -> None:
    """Refuse a folder that cannot be written, or in which a reproduction would write over what none has written.

    Raises:
        InputError: it is taken.
        RetinulaError: it cannot be written.
    """
    check_folder(folder)
    taken = [folder / FIGURES] if (folder / FIGURES).is_file() else []
    if not _earlier(folder):
        taken += [folder / name for name in (PAGE, TABLE, ANSWERS) if (folder / name).exists()]
    if taken:
        raise InputError(f"{taken[0]} is of no reproduction; move it away, or name another folder with --out")


@contextmanager
def new_figures(folder: Path) -> Iterator[Path]:
    """Yield an empty folder; when the block succeeds it takes the place of the figures of an earlier reproduction.

    Whatever else lies among those stays.
    """
    place = folder / FIGURES
    with replacing_folder(place) as made:
        yield made
        for name in _not_drawn(folder):
            if not (made / name).exists():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(place / name, made / name, follow_symlinks=False)


def forget_answers(folder: Path) -> None:
    """Remove the answers to photos of an earlier reproduction."""
    if _earlier(folder).get("photos"):
        with explained(folder / ANSWERS):
            (folder / ANSWERS).unlink(missing_ok=True)


def files_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, in its subfolders too, but for those half written."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in names if not name.startswith(UNFINISHED))


def _not_drawn(folder: Path) -> list[str]:
    """Return the files among the figures that no reproduction has drawn there."""
    earlier = _earlier(folder)
    there = files_in(folder / FIGURES)
    if earlier and "figures" not in earlier:  # earlier versions did not list what they drew
        return [name for name in there if not name.endswith((".png", ".svg"))]
    return [name for name in there if name not in earlier.get("figures", ())]


def _earlier(folder: Path) -> dict[str, Any]:
    """Return what the table of an earlier reproduction says; nothing where there is none."""
    try:
        found = json.loads(read_text(folder / TABLE))
    except (InputError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and {"recipe", "digest", "table"} <= found.keys() else {}
