"""Training that begins from a trained model: what is taken over, what moves, and that it resumes bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from retinula import experiment
from retinula.errors import InputError, Interrupted
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Optimizer
from retinula.runs.run import Run, create_run, find_run
from retinula.trained.model_file import Model
from retinula.training import beginning, loop
from retinula.training.body import freeze_body, take_weights, train_mode
from retinula.training.hardware import Hardware
from retinula.training.optimizers import build_optimizer, set_learning_rate, take_step
from retinula.training.plan import build_network
from retinula.training.reporting import Reporter, StepProgress
from retinula.transforms.preprocess import Preprocess

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
FAST = Hardware("cpu", 1, True, "bfloat16", "for the test")
CPU = torch.device("cpu")


def small(num_classes: int = 3, name: str = "residual", width: float = 0.25) -> nn.Module:
    return build(name, num_classes=num_classes, channels=1, size=(8, 8), width=width)


@pytest.fixture
def their(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model for five other classes, with statistics of its own, as if trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: PLAIN)
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)  # takes longer than the training
    torch.manual_seed(3)
    network = small(5)
    network.train()(torch.randn(32, 1, 8, 8))
    classes = tuple(f"old {n}" for n in range(5))
    form = Preprocess(1, (8, 8), (0.25,), (0.5,))
    path = tmp_path / "their.safetensors"
    Model(network.eval(), "residual", {"width": 0.25}, classes, form, provenance={"run": "theirs"}).save(path)
    return path


def recipe(path: Path, *settings: str) -> Recipe:
    return load_recipe("digits", [f"weights={path}", "epochs=3", "batch_size=16", *settings])


def trained(recipe: Recipe, make_set: MakeSet, name: str = "mine", **options: Any) -> Model:
    return experiment.train(recipe, make_set(), make_set(24, seed=9), name, **options)


def differing(one: nn.Module, other: nn.Module) -> set[str]:
    """Names of weights and statistics that are not the same to the bit."""
    mine, theirs = one.state_dict(), other.state_dict()
    return {name for name in mine if mine[name].shape != theirs[name].shape or not mine[name].equal(theirs[name])}


@pytest.mark.parametrize("settings", [(), ("optimizer=sam", "average=0"), ("optimizer=adamw", "weight_decay=0.5")])
def test_of_a_frozen_network_only_the_new_head_moves(settings: tuple[str, ...], make_set: MakeSet, their: Path) -> None:
    before = Model.load(their)
    model = trained(recipe(their, "freeze=true", "lr=0.2", *settings), make_set)
    assert differing(model.network, before.network) == {"head.weight", "head.bias"}
    assert model.classes == ("class 0", "class 1", "class 2")
    assert model.preprocess == before.preprocess
    rows = find_run("mine").metrics()
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_without_freezing_all_of_it_moves_from_where_it_was(make_set: MakeSet, their: Path) -> None:
    before = Model.load(their)
    names = set(before.network.state_dict())
    model = trained(recipe(their, "average=0"), make_set)
    assert differing(model.network, before.network) == names
    small_steps = ("average=0", "lr=1e-6", "optimizer=sgd", "nesterov=false", "momentum=0", "epochs=1")
    near = trained(recipe(their, *small_steps), make_set, "near").network.state_dict()
    for name, value in before.network.named_parameters():
        if not name.startswith("head"):
            assert torch.allclose(near[name], value, atol=1e-4), name


def test_of_the_same_classes_the_head_goes_on_and_of_others_it_is_new(make_set: MakeSet, their: Path) -> None:
    at_rest = ("average=0", "lr=1e-9", "optimizer=sgd", "nesterov=false", "momentum=0", "epochs=1")
    model = replace(Model.load(their), network=small(3))
    heads = {}
    for name, classes in (("same", ("class 0", "class 1", "class 2")), ("turned", ("class 2", "class 1", "class 0"))):
        replace(model, classes=classes).save(their)
        heads[name] = trained(recipe(their, *at_rest), make_set, name).network.state_dict()["head.weight"]
    before = model.network.state_dict()["head.weight"]
    assert torch.allclose(heads["same"], before, atol=1e-6)
    assert not torch.allclose(heads["turned"], before, atol=1e-2)
    assert "of the same classes" in find_run("same").log_file.read_text()
    assert "with a new head" in find_run("turned").log_file.read_text()


def test_no_gradient_is_computed_for_a_frozen_body() -> None:
    network = small()
    freeze_body(network)
    seen: dict[str, bool] = {}
    for name, layer in network.named_modules():
        layer.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out.requires_grad}))
    network(torch.randn(4, 1, 8, 8)).sum().backward()
    assert {name for name, needs in seen.items() if needs} == {"", "head"}
    assert {name for name, p in network.named_parameters() if p.grad is not None} == {"head.weight", "head.bias"}


def test_frozen_normalisation_is_asked_and_the_rest_trained() -> None:
    network = build("mobilenetv2", num_classes=3, channels=1, size=(8, 8), width=0.1)
    train_mode(network)
    assert all(layer.training for layer in network.modules())
    freeze_body(network)
    train_mode(network)
    at_rest = {type(layer) for layer in network.modules() if not layer.training}
    assert at_rest == {nn.BatchNorm2d}
    assert all(not layer.training for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))


def test_a_body_of_another_kind_is_refused() -> None:
    network = small()
    take_weights(network, small(9), head=False)
    for other in (small(width=0.5), small(name="mobilenetv2")):
        with pytest.raises(InputError, match="layers are not those of the network"):
            take_weights(network, other, head=False)
    with pytest.raises(InputError, match="layers are not those of the network"):
        take_weights(network, small(9), head=True)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "sam"])
def test_the_body_takes_steps_in_proportion(name: str) -> None:
    """With the same gradients a body at a tenth of the rate moves a tenth as far; the head as ever."""
    moved = []
    for factor in (1.0, 0.1):
        torch.manual_seed(0)
        network = small()
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        optimizer = build_optimizer(Optimizer(name=name, body_rate=factor), network, CPU)  # type: ignore[arg-type]  # a parameter
        set_learning_rate(optimizer, 0.5)
        inputs = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))

        def backward(network: nn.Module = network, inputs: torch.Tensor = inputs) -> torch.Tensor:
            loss: torch.Tensor = network(inputs).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            return loss.detach()

        take_step(optimizer, network, backward)
        moved.append({name: p.detach() - before[name] for name, p in network.named_parameters()})
    assert moved[0].keys() == moved[1].keys()
    for layer, far in moved[0].items():
        expected = far if layer.startswith("head.") else far * 0.1
        assert torch.allclose(moved[1][layer], expected, rtol=1e-3, atol=1e-6), layer
    assert any(far.abs().max() > 1e-4 for layer, far in moved[0].items() if not layer.startswith("head."))


@pytest.mark.parametrize(
    "settings", [("freeze=true", "optimizer=sam"), ("freeze=true",), ("body_rate=0.1",), ("optimizer=muon", "lr=0.02")]
)
@pytest.mark.parametrize("hardware", [PLAIN, FAST])
def test_resumed_without_the_source_is_never_stopped(
    settings: tuple[str, ...], hardware: Hardware, make_set: MakeSet, their: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_zeros(*given: Any) -> nn.Module:
        network = build_network(*given)
        nn.init.zeros_(network.get_parameter("stages.0.0.conv2.weight"))  # which the source has trained
        return network

    monkeypatch.setattr(beginning, "build_network", with_zeros)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: hardware)
    wanted = recipe(their, "crop_padding=1", *settings)
    whole = trained(wanted, make_set, "whole")

    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            if progress.step == 6:
                raise Interrupted("stopped here")

    with pytest.raises(Interrupted):
        trained(wanted, make_set, "cut", reporter=Stops(), checkpoint_seconds=0)
    their.write_bytes(b"another file by now")
    run = find_run("cut")
    model = experiment.train(run.recipe(), make_set(), make_set(24, seed=9), run)
    assert not differing(model.network, whole.network)
    assert find_run("cut").report()["source"] == find_run("whole").report()["source"]
    assert find_run("cut").report()["digest"] == find_run("whole").report()["digest"]


def test_where_it_comes_from_is_recorded(make_set: MakeSet, their: Path) -> None:
    model = trained(recipe(their, "epochs=1", "freeze=true"), make_set)
    run = find_run("mine")
    source = run.report()["source"]
    assert source == Model.load(run.path).provenance["source"] == model.provenance["source"]
    assert source["name"] == "their.safetensors"
    assert source["sha256"] == run.recipe().model.weights_sha256
    assert source["provenance"] == {"run": "theirs"}
    assert "begins from their.safetensors (residual, 5 classes, SHA-256" in run.log_file.read_text()
    # A chain: what began from a model can itself be begun from, and its file tells the whole way.
    chained = trained(load_recipe("digits", ["weights=mine", "epochs=1"]), make_set, "second")
    assert chained.provenance["source"]["name"] == "mine"
    assert chained.provenance["source"]["provenance"]["source"] == source


def test_a_refused_beginning_leaves_no_run(make_set: MakeSet, their: Path) -> None:
    with pytest.raises(InputError, match="the recipe wants 1 channels and size"):
        experiment.train(recipe(their), make_set(size=9), None)
    with pytest.raises(InputError, match="nor a run or model file"):
        experiment.train(recipe(their.with_name("nothing")), make_set(), None)
    assert not list(Path("runs").iterdir())
    run = create_run(recipe(their), {})
    with pytest.raises(InputError, match=r"read it with retinula\.transfer\.begin_from"):
        loop.train(recipe(their), make_set(), None, run, hardware=PLAIN)


def test_another_source_is_another_experiment(make_set: MakeSet, their: Path) -> None:
    class Stops(Reporter):
        def step(self, progress: StepProgress) -> None:
            raise Interrupted("stopped here")

    with pytest.raises(Interrupted):
        trained(recipe(their), make_set, reporter=Stops())
    model = Model.load(their)
    replace(model, provenance={"run": "others"}).save(their)
    with pytest.raises(InputError, match="belongs to another recipe"):
        experiment.train(recipe(their), make_set(), make_set(24, seed=9), Run(Path("runs/mine")))
