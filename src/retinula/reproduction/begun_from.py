"""The model that the runs of a recipe begin from: which run of another recipe gives it, and which gave it."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from retinula.errors import InputError
from retinula.recipe.differences import changed_settings
from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.reproduction.finished import Finished
from retinula.runs.run import Run
from retinula.text.names import printable
from retinula.training.reporting import Reporter
from retinula.transfer import NEWEST_OF, begin_from


def settled_from_runs(
    recipe: Recipe, seeds: Collection[int], known: Sequence[tuple[Run, Recipe]], root: Path, reporter: Reporter
) -> Recipe | None:
    """Write into a recipe what the run gives that a reproduction of it begins from; None where no run will do.

    Of a shipped recipe only a run as shipped will, with whatever seed. One that runs of this recipe began from comes
    first, so that these count; then one of the seed as shipped, as would be trained if there were none; then the
    newest.

    Args:
        recipe: that begins from `recipe:NAME`.
        seeds: that it is wanted with.
        known: runs with their recipes, the one begun last at the end.
        root: the folder of the runs.
        reporter: told which runs are left out, and why.

    Raises:
        InputError: there are such runs, but the recipe can begin from none of them.
    """
    name = (recipe.model.weights or "").removeprefix(NEWEST_OF)
    usual = load_recipe(name) if name in shipped() else None
    finished = {other.digest() for run, other in known if run.finished}
    begun = {other.digest() for _, other in known}
    found: list[tuple[tuple[int, int, bool, int], Recipe]] = []
    left_out: list[str] = []
    refused: InputError | None = None
    for place, (run, other) in enumerate(known):
        if other.name != name or not run.finished:
            continue
        changed = [*(changed_settings(other, usual) if usual else []), *filter(None, [run.ended_early()])]
        if changed:
            left_out.append(f"{run.path}, which is not as shipped: {printable(', '.join(changed))}")
            continue
        try:
            settled, _ = begin_from(recipe.changed(model={"weights": str(run.model_file)}), root)
        except InputError as error:
            left_out.append(f"{run.path}: {error}")
            refused = error
            continue
        digests = {settled.changed(seed=seed).digest() for seed in seeds}
        as_trained = usual is not None and other.seed == usual.seed
        found.append(((len(digests & finished), len(digests & begun), as_trained, place), settled))
    if found:
        return max(found, key=lambda each: each[0])[1]
    for told in left_out:
        reporter.message(f"{recipe.name} does not begin from {told}")
    if refused is not None:
        raise refused
    return None


def begun_from(finished: Finished) -> dict[str, str] | None:
    """Return name and SHA-256 of the model that a finished run began from; None where it began from none."""
    source = finished.report.get("source")
    if not isinstance(source, dict):
        return None
    return {"name": str(source.get("name")), "sha256": str(source.get("sha256"))}


def words_of(origin: dict[str, str]) -> str:
    """Say in a line which model it was.

    >>> words_of({"name": "digits-seed0", "sha256": "0123456789abcdef"})
    'digits-seed0 (SHA-256 0123456789ab)'
    """
    return f"{printable(origin['name'])} (SHA-256 {printable(origin['sha256'][:12])})"


def has_other_settings(finished: Finished) -> bool:
    """Tell whether a finished run began from a model of a shipped recipe that was trained with other settings."""
    source: Any = finished.report.get("source")
    provenance = source.get("provenance") if isinstance(source, dict) else None
    if not isinstance(provenance, dict) or provenance.get("recipe") not in shipped():
        return False
    usual = load_recipe(provenance["recipe"])
    if usual.model.weights is not None or type(provenance.get("seed")) is not int:
        return False  # its digest is not known without the file that it began from
    if provenance.get("of_steps") is not None:
        return True  # it was ended early
    return provenance.get("digest") != usual.changed(seed=provenance["seed"]).digest()
