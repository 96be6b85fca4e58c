"""What can be trained, by one word: a recipe's name or file, a data set's name, a folder or archive of pictures.

Knows what there is by name, and nothing of training or torch: a wrong word is refused at once.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from retinula.datasets.absent import is_path, not_there
from retinula.datasets.catalog import CATALOG
from retinula.errors import InputError, nearest
from retinula.recipe.files import checked, load_recipe, override, shipped
from retinula.recipe.recipe import Recipe

DEFAULT = "default"  # the recipe for whatever is no recipe itself: a data set, a folder, an archive
MOST_BESIDE = 1000  # files and folders that a wrong word is compared with


def find_recipe(target: str, settings: Iterable[str] = ()) -> Recipe:
    """Return the recipe for a recipe's name or file, a data set's name, or a folder or archive of pictures.

    Raises:
        InputError: nothing of that name, or a setting that does not fit.
    """
    if target in shipped() or target.endswith(".toml"):
        return load_recipe(target, settings)
    if target not in CATALOG and not Path(target).exists():
        raise InputError(_unknown(target))
    base = load_recipe(DEFAULT).model_dump(mode="json", exclude_unset=True)
    stem = Path(target).resolve().name.split(".")[0]
    letters = (letter if letter.isalpha() or letter.isdecimal() or letter == "_" else "-" for letter in stem[:80])
    base["name"] = "".join(letters).strip("-") or "run"
    base.setdefault("data", {})["name"] = target if target in CATALOG else str(Path(target).resolve())
    return checked(override(base, settings), f"the default recipe for {target}")


def anchored(recipe: Recipe) -> Recipe:
    """Write a relative path to the data in full, as every run's recipe has it, so that it can go on from any folder."""
    names = [recipe.data.name, *recipe.data.more]
    name, *more = (name if name in CATALOG or not Path(name).exists() else str(Path(name).resolve()) for name in names)
    root = None if recipe.data.root is None else str(Path(recipe.data.root).resolve())
    return recipe.changed(data={"name": name, "more": tuple(more), "root": root})


def _unknown(target: str) -> str:
    """Say what a word is not, and what it may have meant: what is known by name, or lies where its path leads."""
    path = Path(target)
    try:
        beside = list(islice(path.parent.iterdir(), MOST_BESIDE))
    except OSError:  # no such place, or one that may not be looked into
        beside = []
    hint = nearest(str(path), {*shipped(), *CATALOG, *map(str, beside)})
    if is_path(target):
        return not_there(target, hint)
    hint = hint or "; to see the known names: retinula recipes, retinula data list"
    return f"there is no recipe, data set or folder called {target!r}{hint}"
