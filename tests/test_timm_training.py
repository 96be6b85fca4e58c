"""A network of timm from the first step to an answer; what it takes no inputs for; and going on with another timm."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from retinula import experiment
from retinula.errors import InputError, Interrupted
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run, find_run
from retinula.trained.model_file import Model
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import Reporter, StepProgress
from retinula.training.state import TrainState
from small_timm import load_timm

MakeSet = Callable[..., ImageSet]


@pytest.fixture(autouse=True)
def _quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, on hardware that is not measured; runs are not drawn."""
    load_timm()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: Hardware("cpu", 1, False, "float32", "for the test"))
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: [])


def recipe(*settings: str, name: str = "timm/test_vit") -> Recipe:
    return load_recipe("digits", [f"model.name={name}", "steps=2", "batch_size=8", *settings])


def train(recipe: Recipe, make_set: MakeSet, size: int = 32, **options: Any) -> Model:
    sets = (make_set(24, size=size), make_set(12, size=size, seed=9))
    return experiment.train(recipe, *sets, progress=False, **options)


class Stops(Reporter):
    """Stops a training in its second step, after a checkpoint of the first."""

    def step(self, progress: StepProgress) -> None:
        if progress.step == 2:
            raise Interrupted("stopped")


def stopped(recipe: Recipe, make_set: MakeSet) -> Run:
    with pytest.raises(Interrupted):
        train(recipe, make_set, run="cut", reporter=Stops(), checkpoint_seconds=0)
    return find_run("cut")


def go_on(run: Run, make_set: MakeSet) -> list[str]:
    """Go on to the end; return what was said."""
    told: list[str] = []

    class Listens(Reporter):
        def message(self, text: str) -> None:
            told.append(text)

    train(run.recipe(), make_set, run=run, reporter=Listens())
    return told


def test_it_is_trained_read_back_and_asked(make_set: MakeSet) -> None:
    model = train(recipe(), make_set, run="mine")
    run = find_run("mine")
    loaded, images = Model.load(run.path), make_set(3, size=32).images
    assert loaded.network_name == "timm/test_vit"
    assert torch.equal(loaded.outputs(images), model.outputs(images))
    assert {answer.label for answer in loaded.predict(images[0])} == set(model.classes)
    for told in (run.environment(), run.report()):
        assert told["versions"]["timm"] == metadata.version("timm")


def test_of_other_networks_no_version_of_timm_is_written_down(make_set: MakeSet) -> None:
    train(recipe("model.arguments.width=0.25", name="residual"), make_set, size=8, run="other")
    assert "timm" not in find_run("other").environment()["versions"]


@pytest.mark.parametrize(
    ("size", "settings", "words"),
    [
        (8, [], r"^timm/test_vit takes no inputs of 8x8 \(.*\): give a larger inputs\.size$"),
        (32, ["sizes=[[0.0, 24], [0.5, 32]]"], r"^timm/test_vit takes no inputs of 24x24 .*: change training\.sizes$"),
    ],
)
def test_sizes_that_it_does_not_take_leave_no_run(
    size: int, settings: list[str], words: str, make_set: MakeSet
) -> None:
    with pytest.raises(InputError, match=words):
        train(recipe(*settings), make_set, size, run="refused")
    assert not Path("runs/refused").exists()


def test_going_on_with_another_timm_is_said(make_set: MakeSet) -> None:
    run = stopped(recipe(), make_set)
    begun = run.environment()
    begun["versions"]["timm"] = "0.9"
    run.environment_file.write_text(json.dumps(begun))
    assert f"goes on with timm {metadata.version('timm')} instead of 0.9: " in " ".join(go_on(run, make_set))
    assert run.environment()["versions"]["timm"] == "0.9"
    assert run.environment()["went_on"][0]["versions"]["timm"] == metadata.version("timm")


@pytest.mark.parametrize("lost", ["network", "optimizer"])
def test_a_checkpoint_of_other_layers_is_refused(lost: str, make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    run, restore = stopped(recipe(), make_set), TrainState.restore

    def from_another(state: TrainState, saved: dict[str, Any]) -> None:
        """As if the network had had other layers, or its weights been moved by others' rules."""
        saved[lost] = {"param_groups": [], "state": {}} if lost == "optimizer" else {"conv.weight": torch.zeros(1)}
        restore(state, saved)

    with monkeypatch.context() as patched:
        patched.setattr(TrainState, "restore", from_another)
        words = (
            rf"^{run.path}: its checkpoint belongs to another network \(.*\); go on with the versions in environment"
        )
        with pytest.raises(InputError, match=words):
            go_on(run, make_set)
    go_on(run, make_set)
    assert run.finished
