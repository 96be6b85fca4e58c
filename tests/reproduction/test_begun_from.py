"""The model that a reproduction begins from: as shipped, the same as before, and told."""

import json
from pathlib import Path
from typing import Any

import pytest

from retinula import experiment
from retinula.errors import InputError, Interrupted
from retinula.files.durable import write_json
from retinula.models.catalog import build
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.reproduction.begun_from import settled_from_runs
from retinula.reproduction.reproduce import reproduce
from retinula.reproduction.results import gather, results_list, results_page
from retinula.reproduction.runs import readable_runs, runs_for
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.transfer import begin_from
from retinula.transforms.preprocess import Preprocess
from small_reproductions import CLAIMS, Listens
from small_runs import SURROUNDINGS, whole_report

ROOT = Path("runs")


def first(name: str, *settings: str) -> Run:
    """A finished run of the recipe digits whose model has weights of chance."""
    recipe = load_recipe("digits", settings)
    run = create_run(recipe, SURROUNDINGS, name, ROOT)
    form = Preprocess(1, (8, 8), (0.25,), (0.5,))
    classes = tuple(map(str, range(10)))
    network = build("residual", num_classes=10, channels=1, size=(8, 8), width=0.25).eval()
    said = {"recipe": "digits", "digest": recipe.digest(), "seed": recipe.seed}
    Model(network, "residual", {"width": 0.25}, classes, form, provenance=said).save(run.model_file)
    write_json(run.report_file, whole_report(recipe="digits"))
    return run


def work() -> Recipe:
    settings = ["epochs=1", "classes=[5,6,7]", "weights='recipe:digits'", "freeze=true"]
    return load_recipe("digits", settings).model_copy(update={"name": "after", "claims": CLAIMS[:1]})


def after(base: Run, seed: int, *, finished: bool = True) -> Run:
    """A run of the work that began from a run of digits."""
    settled, source = begin_from(work().changed(seed=seed, model={"weights": str(base.model_file)}))
    run = create_run(settled, SURROUNDINGS, f"{base.name}-after-{seed}", ROOT)
    if finished:
        write_json(run.report_file, whole_report(recipe="after", source=source.to_dict()))
    return run


def chosen(seeds: int = 1, listens: Listens | None = None) -> str | None:
    told = listens or Listens()
    settled = settled_from_runs(work(), range(seeds), list(readable_runs(ROOT, told)), ROOT, told)
    return None if settled is None else Path(settled.model.weights or "").parent.name


def test_only_a_run_as_shipped_will_do_and_otherwise_one_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    first("changed", "steps=2", "average=0")
    trained: list[Recipe] = []

    def train(recipe: Recipe, **_: Any) -> None:
        trained.append(recipe)
        raise Interrupted("stopped here")

    monkeypatch.setattr(experiment, "train", train)
    listens = Listens()
    with pytest.raises(Interrupted):
        runs_for(work(), 1, root=ROOT, reporter=listens)
    assert [recipe.digest() for recipe in trained] == [load_recipe("digits").digest()]
    assert listens.said[:2] == [
        "after does not begin from runs/changed, which is not as shipped: training.average=0.0, training.steps=2",
        "after begins from digits, which comes first",
    ]
    usual = first("usual")
    first("newest", "lr=0.5")
    quiet = Listens()
    assert chosen(listens=quiet) == usual.name
    assert not quiet.said


def test_what_runs_began_from_counts_before_seed_and_time() -> None:
    usual, other = first("usual"), first("other", "seed=3")
    assert chosen() == usual.name, "of the seed as shipped"
    last = first("latest", "seed=4")
    usual.recipe_file.unlink()
    assert chosen() == last.name, "the newest"
    after(other, 7)
    assert chosen(3) == last.name, "which is another seed"
    after(other, 2, finished=False)
    assert chosen(3) == other.name
    after(last, 0)
    assert chosen(3) == last.name, "finished ones count more than those begun"
    after(other, 0)
    after(other, 1)
    assert chosen(3) == other.name, "and more of them more"


def test_a_broken_model_does_not_hide_the_others() -> None:
    usual = first("usual")
    first("broken").model_file.write_bytes(b"no model")
    assert chosen() == usual.name
    usual.model_file.unlink()
    listens = Listens()
    with pytest.raises(InputError, match="broken"):
        chosen(listens=listens)
    assert [line.partition(": ")[0] for line in listens.said] == [
        f"after does not begin from runs/{name}" for name in ("usual", "broken")
    ]


@pytest.mark.usefixtures("_undrawn")
def test_table_and_results_say_from_which_model_it_begins() -> None:
    usual = first("usual")
    made = reproduce(work(), 1, root=ROOT, folder=Path("out"))
    digest = made.runs[0].recipe.model.weights_sha256 or ""
    assert f"- begun from: usual (SHA-256 {digest[:12]})\n" in Path("out/table.md").read_text()
    assert json.loads(Path("out/table.json").read_text())["begun_from"] == {"name": "usual", "sha256": digest}
    page, (listed,) = results_page(gather([ROOT])), results_list(gather([ROOT]))
    assert f"\nModels begun from:\n\n- after, seed 0: usual (SHA-256 {digest[:12]})\n" in page
    assert listed["begun_from"] == {"name": "usual", "sha256": digest}
    report = made.runs[0].report
    report["source"]["provenance"]["digest"] = load_recipe("digits", ["steps=2"]).digest()
    write_json(made.runs[0].run.report_file, report)
    assert f"(SHA-256 {digest[:12]}), which was not trained as shipped\n" in results_page(gather([ROOT]))
    assert usual.finished
