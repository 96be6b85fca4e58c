"""Where a reproduction goes: its folder; what of an earlier one makes way in it, and what is not ours and stays."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from retinula.errors import InputError
from retinula.files.durable import UNFINISHED, check_folder, clear_abandoned, explained, make_folder, read_text
from retinula.recipe.differences import changed_from_shipped
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe

FOLDER = Path("reproductions")
PAGE, TABLE, ANSWERS, FIGURES = "table.md", "table.json", "photos.csv", "figures"
LAYERS: Final = "layers.txt"
CLASSES: Final = {split: f"classes-{split}.csv" for split in ("test", "train")}


def changed_before_training(recipe: Recipe) -> list[str] | None:
    """Return the changed settings against the shipped recipe of that name; None where none is shipped.

    Of a recipe that no training has settled yet, so that the model that it begins from counts, too.
    """
    changed = changed_from_shipped(recipe)
    if changed is None:
        return None
    weights, usual = recipe.model.weights, load_recipe(recipe.name).model.weights
    if weights:  # the model that it begins from brings network and normalisation
        changed = [each for each in changed if each != "model.name=" and not each.startswith("inputs.normalise=")]
    if usual is not None and weights != usual:  # of others `changed_from_shipped` tells the weights
        changed.append(f"model.weights={weights}" if weights else "without model.weights")
    return changed


def usual_folder(recipe: Recipe, named: Recipe) -> Path:
    """Return where a reproduction goes unless told otherwise: with other settings, not where that without them is.

    Args:
        recipe: to reproduce.
        named: the same without the settings that were given beside it.
    """
    beside = changed_before_training(recipe) or recipe.model_dump() != named.model_dump()
    return FOLDER / (f"{recipe.name}-{recipe.digest()[:8]}" if beside else recipe.name)


def check_place(folder: Path) -> None:
    """Refuse a folder that cannot be written, or in which a reproduction would write over what none has written.

    Raises:
        InputError: it is taken.
        RetinulaError: it cannot be written.
    """
    check_folder(folder)
    earlier, figures = _earlier(folder), folder / FIGURES
    ours = [] if not earlier else [PAGE, TABLE, *_beside(earlier)]
    names = (PAGE, TABLE, ANSWERS, LAYERS, *CLASSES.values())
    taken = [folder / name for name in names if name not in ours and (folder / name).exists()]
    if os.path.lexists(figures) and not figures.is_dir():
        taken.append(figures)
    elif not earlier:
        taken += [figures / name for name in files_in(figures)]
    if taken:
        raise InputError(f"{taken[0]} is of no reproduction; move it away, or name another folder with --out")


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to draw into, in the folder of a reproduction; it goes when the block ends.

    Raises:
        RetinulaError: it cannot be written.
    """
    make_folder(folder)
    clear_abandoned(folder.glob(f"{UNFINISHED}*"))
    with explained(folder), tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder) as made:
        yield Path(made)


def make_way(folder: Path) -> None:
    """Remove the figures that an earlier reproduction has drawn, its answers and tables; what else lies there stays."""
    earlier, figures = _earlier(folder), folder / FIGURES
    if not earlier:
        return
    with explained(folder):
        for name in files_in(figures):  # a name in the table that leads elsewhere is none of these
            # Earlier versions did not list what they drew.
            if name in earlier["figures"] if "figures" in earlier else name.endswith((".png", ".svg")):
                (figures / name).unlink()
                with suppress(OSError):  # something is left in it
                    (figures / name).parent.rmdir()
        for name in _beside(earlier):
            (folder / name).unlink(missing_ok=True)


def free_names(folder: Path, names: Sequence[str]) -> list[str]:
    """Return those of some names of figures that nothing has, and whose subfolder is none but ours."""
    figures = folder / FIGURES

    def is_free(path: Path) -> bool:
        inside = path.parent
        ours = inside == figures or not os.path.lexists(inside) or (inside.is_dir() and not inside.is_symlink())
        return ours and not os.path.lexists(path)

    return [name for name in names if is_free(figures / name)]


def move_figures(made: Path, folder: Path, names: Sequence[str]) -> None:
    """Put drawn figures where they belong."""
    make_folder(folder / FIGURES)
    with explained(folder / FIGURES):
        for name in names:
            place = folder / FIGURES / name
            place.parent.mkdir(exist_ok=True)
            shutil.move(made / name, place)


def files_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, in its subfolders too, but for those half written."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()]
    return sorted(name.as_posix() for name in names if not any(part.startswith(UNFINISHED) for part in name.parts))


def _beside(earlier: dict[str, Any]) -> list[str]:
    """Return which files a reproduction has written beside its page; earlier versions no tables but of answers."""
    tables = [name for name in (LAYERS, *CLASSES.values()) if name in earlier.get("tables", [])]
    return [*([ANSWERS] if earlier.get("answers", earlier.get("photos")) else []), *tables]


def _earlier(folder: Path) -> dict[str, Any]:
    """Return what the table of an earlier reproduction says; nothing where there is none, or it is not whole."""
    try:
        found = json.loads(read_text(folder / TABLE))
    except (InputError, ValueError, RecursionError):
        return {}
    whole = isinstance(found, dict) and {"recipe", "digest", "table"} <= found.keys()
    listed = whole and all(isinstance(found.get(key, []), list) for key in ("figures", "tables"))
    return found if listed else {}
