import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.files.durable import write_json
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.elsewhere import WrittenElsewhere
from retinula.runs.files import EpochRow
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.training import loop, processes
from retinula.training.averaging import WeightAverage
from retinula.training.checkpoint import load_checkpoint, save_checkpoint
from retinula.training.continuing import first_hardware
from retinula.training.hardware import Hardware
from retinula.training.loop import train
from retinula.training.ranking import score
from retinula.training.reporting import Reporter, StepProgress
from retinula.training.side_by_side import SideBySide
from retinula.training.winograd import Winograd

MakeSet = Callable[..., ImageSet]
PLAIN = Hardware("cpu", 1, False, "float32", "for the test")
FAST = Hardware("cpu", 1, True, "bfloat16", "for the test")
OTHERWISE = replace(
    FAST,
    precision="float32",
    ways=(("stem.0", "winograd_gradients"), ("stages.0.0.conv2", "winograd"), ("stages.1.0.conv2", "side_by_side")),
)


def small(*settings: str) -> Recipe:
    """The recipe for digits with a narrow network, a few short epochs and everything that has a memory."""
    base = ["epochs=4", "batch_size=16", "flip=alternating", "model.arguments.width=0.25", *settings]
    return load_recipe("digits", base)


def fitted(recipe: Recipe, make_set: MakeSet, tmp_path: Path, size: int = 8, **options: Any) -> tuple[Run, Model]:
    run = create_run(recipe, {}, root=tmp_path)
    options.setdefault("hardware", PLAIN)
    return run, train(recipe, make_set(size=size), make_set(24, size=size, seed=9), run, **options)


def comparable(run: Run) -> tuple[list[dict[str, Any]], list[tuple[int, int, float, float]]]:
    """A run's logs without what the clock says."""
    clock = ("seconds", "images_per_second")
    metrics = [{key: value for key, value in row.items() if key not in clock} for row in run.metrics()]
    steps = [(row["step"], row["epoch"], row["loss"], row["learning_rate"]) for row in run.steps()]
    return metrics, steps


def assert_same_weights(one: Model, other: Model) -> None:
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name


def test_it_learns_and_leaves_what_it_says(make_set: MakeSet, tmp_path: Path) -> None:
    run, model = fitted(small(), make_set, tmp_path)
    rows = run.metrics()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["step"] for row in rows] == [4, 8, 12, 16]
    assert rows[-1]["val_accuracy"] == 1.0
    assert rows[-1]["loss"] < rows[0]["loss"]
    steps = run.steps()
    assert [row["step"] for row in steps] == list(range(1, 17))
    sizes = [16, 16, 16, 12] * 4
    for row in rows:
        of_epoch = [(s["loss"], n) for s, n in zip(steps, sizes, strict=True) if s["epoch"] == row["epoch"]]
        assert row["loss"] == pytest.approx(sum(loss * n for loss, n in of_epoch) / 60, rel=1e-6)
    loaded = Model.load(run.path)
    assert_same_weights(loaded, model)
    assert loaded.classes == ("class 0", "class 1", "class 2")
    assert loaded.provenance["digest"] == small().digest()


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("average=0", "optimizer=adam", "lr=0.01"),
        ("optimizer=sam", "cutout=2", "brightness=0.1", "rotate=20", "zoom=[0.8, 1.25]"),
        ("mixup=0.4", "cutmix=1", "optimizer=adamw", "lr=0.01", "clip_norm=1"),
        ("sampling=replacement", "metric=val_loss"),
    ],
)
@pytest.mark.parametrize("hardware", [PLAIN, FAST])
def test_two_and_two_epochs_are_four_bit_for_bit(
    settings: tuple[str, ...], hardware: Hardware, make_set: MakeSet, tmp_path: Path
) -> None:
    assert_resumed_is_whole(small(*settings), hardware, (3, 8), make_set, tmp_path)


def test_dropout_resumes_bit_for_bit(make_set: MakeSet, tmp_path: Path) -> None:
    assert_resumed_is_whole(small("model=mobilenetv2", "average=0"), FAST, (6,), make_set, tmp_path)


@pytest.mark.parametrize("settings", [(), ("optimizer=sam", "average=0"), ("optimizer=muon",)])
def test_convolutions_computed_in_other_ways_resume_bit_for_bit(
    settings: tuple[str, ...], make_set: MakeSet, tmp_path: Path
) -> None:
    assert_resumed_is_whole(small(*settings), OTHERWISE, (6,), make_set, tmp_path)


def asked_at(step: int) -> Callable[[], bool]:
    """What asks a training to stop after so many steps."""
    steps = itertools.count(1)
    return lambda: next(steps) == step


def assert_resumed_is_whole(
    recipe: Recipe, hardware: Hardware, stops: Sequence[int], make_set: MakeSet, tmp_path: Path
) -> None:
    """See that trainings which are stopped after so many steps, and then go on, end as one that never was."""
    whole_run, whole = fitted(recipe, make_set, tmp_path, hardware=hardware)
    sets = (make_set(), make_set(24, seed=9))
    for stop_at in stops:
        run = create_run(recipe, {}, root=tmp_path)
        with pytest.raises(Interrupted, match=f"stopped at step {stop_at} of"):
            train(recipe, *sets, run, hardware=hardware, stop_requested=asked_at(stop_at))
        assert not run.model_file.exists()
        resumed = train(recipe, *sets, run)  # the hardware comes from the checkpoint
        assert_same_weights(resumed, whole)
        assert comparable(run) == comparable(whole_run)


def test_convolutions_computed_in_other_ways_train_the_same_network(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[type[nn.Module]] = set()

    def note(kind: type[nn.Module]) -> None:
        real = kind.forward

        def forward(self: nn.Module, maps: torch.Tensor) -> torch.Tensor:
            used.add(kind)
            outputs: torch.Tensor = real(self, maps)
            return outputs

        monkeypatch.setattr(kind, "forward", forward)

    note(SideBySide)
    note(Winograd)
    plain = fitted(small("epochs=1"), make_set, tmp_path, hardware=replace(OTHERWISE, ways=()))
    assert not used
    quick = fitted(small("epochs=1"), make_set, tmp_path, hardware=OTHERWISE)
    losses, others = ([row["loss"] for row in run.steps()] for run, _ in (plain, quick))
    assert used == {SideBySide, Winograd}, "whether sums are rounded otherwise for it is the processor's affair"
    assert losses == pytest.approx(others, rel=1e-4)
    assert plain[1].network.state_dict().keys() == quick[1].network.state_dict().keys()
    assert plain[0].metrics()[0]["val_loss"] == pytest.approx(quick[0].metrics()[0]["val_loss"], rel=1e-3)
    assert_same_weights(Model.load(quick[0].path), quick[1])


def test_few_pictures_are_trained_on_for_more_epochs_and_the_log_says_so(make_set: MakeSet, tmp_path: Path) -> None:
    run, _ = fitted(small("epochs=1", "least_steps=6"), make_set, tmp_path)
    assert run.metrics()[-1]["step"] == 8
    assert "60 pictures: 2 epochs instead of 1, so that there are at least 6 steps" in run.log_file.read_text()


def test_seeds_decide_everything(make_set: MakeSet, tmp_path: Path) -> None:
    first = fitted(small("seed=1"), make_set, tmp_path)
    again = fitted(small("seed=1"), make_set, tmp_path)
    other = fitted(small("seed=2"), make_set, tmp_path)
    assert comparable(first[0]) == comparable(again[0])
    assert_same_weights(first[1], again[1])
    assert comparable(first[0]) != comparable(other[0])


def test_measuring_the_hardware_does_not_move_the_chances(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small("precision=float32")
    measured = fitted(recipe, make_set, tmp_path, hardware=None)
    given = fitted(recipe, make_set, tmp_path, hardware=Hardware("cpu", torch.get_num_threads(), False, "float32", ""))
    assert comparable(measured[0])[0][0]["loss"] == pytest.approx(comparable(given[0])[0][0]["loss"], rel=1e-4)


def test_what_computes_is_settled_before_there_is_a_checkpoint(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sets = create_run(small("epochs=1"), {}, root=tmp_path), (make_set(), make_set(24, seed=9))

    def killed(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(loop, "choose_hardware", lambda *_, **__: OTHERWISE)
        patched.setattr(loop, "new_state", killed)
        with pytest.raises(RuntimeError, match=r"^killed$"):
            train(small("epochs=1"), *sets, run)
    assert not run.can_go_on
    monkeypatch.setattr(loop, "choose_hardware", killed)
    again = train(small("epochs=1"), *sets, run)
    assert not run.hardware_file.exists()
    assert_same_weights(again, fitted(small("epochs=1"), make_set, tmp_path, hardware=OTHERWISE)[1])
    run.hardware_file.write_text('{"device": "cpu"}')
    with pytest.raises(InputError, match=r"hardware\.json cannot be read \(.*'threads'.*\); remove it to begin anew"):
        first_hardware(run)
    write_json(run.hardware_file, {**PLAIN.to_dict(), "ways": [["stem.0", "unheard_of"]]})
    words = (
        r"hardware\.json was written by another version of Retinula; go on with that one, or remove it to begin anew$"
    )
    with pytest.raises(InputError, match=words):
        first_hardware(run)


def test_the_first_process_removes_what_the_checkpoint_has(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run = small("epochs=1"), create_run(small("epochs=1"), {}, root=tmp_path)
    sets = (make_set(), make_set(24, seed=9))
    with pytest.raises(Interrupted):
        train(recipe, *sets, run, hardware=PLAIN, stop_requested=lambda: True)
    write_json(run.hardware_file, PLAIN.to_dict())  # as if killed between the two
    with monkeypatch.context() as patched:
        patched.setattr(processes, "is_first", lambda: False)
        patched.setattr(processes, "own", str)
        train(recipe, *sets, WrittenElsewhere(run.path))
    assert run.hardware_file.exists()
    train(recipe, *sets, run)
    assert not run.hardware_file.exists()


VAIN = [
    (["early_stopping=2"], "early_stopping needs pictures"),
    (["sizes=[[0.0, 6]]"], "would end on inputs of 6x6"),
    (["cutout=9"], "augment.cutout=9 is larger than the pictures, 8x8"),
    (["schedule=piecewise", "points=[[0.0, 0.0], [1.0, 0.0]]"], "learning rate would be 0"),
]


@pytest.mark.parametrize(("settings", "words"), VAIN)
def test_what_is_not_worth_beginning_is_refused_before_anything_is_measured(
    settings: list[str], words: str, make_set: MakeSet, tmp_path: Path
) -> None:
    recipe = small("epochs=1", *settings)
    run = create_run(recipe, {}, root=tmp_path)
    with pytest.raises(InputError, match=words):
        train(recipe, make_set(), None, run)
    assert not run.hardware_file.exists()


@pytest.mark.parametrize("settings", [settings for settings, _ in VAIN])
def test_what_is_not_worth_beginning_goes_on_where_it_has_begun(
    settings: list[str], make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small("epochs=1", *settings)
    run = create_run(recipe, {}, root=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "check_worth_beginning", lambda *_: None)
        with pytest.raises(Interrupted):
            train(recipe, make_set(), None, run, hardware=PLAIN, stop_requested=asked_at(2))
    train(recipe, make_set(), None, run)
    assert run.metrics()[-1]["step"] == 4


def test_another_recipe_or_other_pictures_do_not_go_on(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small()
    run = create_run(recipe, {}, root=tmp_path)
    with pytest.raises(Interrupted):
        train(recipe, make_set(), None, run, hardware=PLAIN, stop_requested=lambda: True)
    with pytest.raises(InputError, match="belongs to another recipe"):
        train(small("lr=0.2"), make_set(), None, run)
    with pytest.raises(InputError, match="pictures have changed"):
        train(recipe, make_set(seed=5), None, run)


@pytest.mark.parametrize(
    ("file", "kept", "missing"),
    [("metrics.jsonl", None, "2 of 2"), ("metrics.jsonl", 1, "1 of 2"), ("steps.csv", None, "10 of 10")],
)
def test_without_the_logs_of_what_was_computed_it_does_not_go_on(
    file: str, kept: int | None, missing: str, make_set: MakeSet, tmp_path: Path
) -> None:
    run = create_run(small(), {}, root=tmp_path)
    steps = iter(range(1, 100))
    with pytest.raises(Interrupted):
        train(small(), make_set(), None, run, hardware=PLAIN, stop_requested=lambda: next(steps) == 10)
    lines = (run.path / file).read_text().splitlines(keepends=True)
    (run.path / file).unlink()
    if kept is not None:
        (run.path / file).write_text("".join(lines[kept:]))
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    with pytest.raises(InputError, match=rf"{file}: {missing} rows are missing .* step 10 .* begin a new run$"):
        train(small(), make_set(), None, run)
    after = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    before.pop("log.txt")
    after.pop("log.txt")
    assert after == before
    assert run.checkpoint_step() == 10


def test_an_epoch_is_saved_before_it_is_told(make_set: MakeSet, tmp_path: Path) -> None:
    class Fails(Reporter):
        def epoch(self, row: EpochRow) -> None:
            raise BrokenPipeError

    run = create_run(small(), {}, root=tmp_path)
    with pytest.raises(BrokenPipeError):
        train(small(), make_set(), None, run, hardware=PLAIN, reporter=Fails(), checkpoint_seconds=0)
    assert run.checkpoint_step() == len(run.steps()) == 4


def test_a_damaged_checkpoint_costs_a_generation_only(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small()
    whole_run, whole = fitted(recipe, make_set, tmp_path)
    run = create_run(recipe, {}, root=tmp_path)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == 10

    sets = (make_set(), make_set(24, seed=9))
    with pytest.raises(Interrupted):
        train(recipe, *sets, run, hardware=PLAIN, stop_requested=stop, checkpoint_seconds=0)
    newest = max(run.checkpoints.iterdir())
    newest.write_bytes(b"")
    messages: list[str] = []

    class Listener(Reporter):
        def message(self, text: str) -> None:
            messages.append(text)

    resumed = train(recipe, *sets, run, reporter=Listener())
    assert any("left aside" in text and newest.name in text for text in messages)
    assert_same_weights(resumed, whole)
    assert comparable(run) == comparable(whole_run)


def test_early_stopping_keeps_the_best_and_goes_no_further(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small("epochs=40", "early_stopping=3", "metric=val_accuracy", "schedule=constant")
    run, model = fitted(recipe, make_set, tmp_path)
    scores = [score(row, "val_accuracy") for row in run.metrics()]
    first = [accuracy for accuracy, _ in scores].index(max(scores)[0])
    assert len(scores) == first + 1 + 3 < 40, "a lower loss alone is no better value"
    assert model.provenance["kept_step"] == (scores.index(max(scores)) + 1) * 4
    assert model.provenance["kept"] == "best val_accuracy"
    # Killed after the last checkpoint, before the model file: nothing is trained any further.
    run.model_file.unlink()
    again = train(recipe, make_set(), make_set(24, seed=9), run)
    assert_same_weights(again, model)
    assert len(run.metrics()) == len(scores)


def test_without_validation_the_last_weights_are_kept(make_set: MakeSet, tmp_path: Path) -> None:
    recipe = small("validation=0")
    run = create_run(recipe, {}, root=tmp_path)
    model = train(recipe, make_set(), None, run, hardware=PLAIN)
    assert model.provenance["kept"] == "last"
    assert model.provenance["kept_step"] == 16
    assert [row["val_loss"] for row in run.metrics()] == [None] * 4


def test_a_loss_that_is_not_finite_stops_and_keeps_the_batch(make_set: MakeSet, tmp_path: Path) -> None:
    full = make_set()
    named = ImageSet(full.images, full.labels, full.classes, "named", sources=[f"{n}.png" for n in range(len(full))])
    recipe = load_recipe("digits", ["lr=1e30", "optimizer=sgd", "momentum=0", "nesterov=false", "schedule=constant"])
    run = create_run(recipe, {}, root=tmp_path)
    with pytest.raises(RetinulaError, match=r"the loss is (nan|inf) at step \d+ \(learning rate 1e\+30\)") as caught:
        train(recipe, named, None, run, hardware=PLAIN)
    assert caught.value.exit_code == 1
    failure = json.loads((run.path / "failure" / "failure.json").read_text())
    assert failure["sources"] == [f"{n}.png" for n in failure["positions"]]
    with np.load(run.path / "failure" / "batch.npz") as kept:
        assert np.array_equal(kept["images"], full.images[failure["positions"]])
    assert len(run.steps()) == failure["step"] - 1
    assert not run.model_file.exists()


def test_an_autoencoder_learns(make_set: MakeSet, tmp_path: Path) -> None:
    settings = ["model=cifar10-autoencoder", "objective=bce", "metric=val_loss", "label_smoothing=0", "normalise=unit"]
    recipe = load_recipe("digits", [*settings, "optimizer=adam", "lr=0.01", "epochs=6", "schedule=constant"])
    run = create_run(recipe, {}, root=tmp_path)
    model = train(recipe, make_set(channels=3), make_set(24, channels=3, seed=9), run, hardware=PLAIN)
    rows = run.metrics()
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["val_accuracy"] is None
    assert rows[-1]["accuracy"] is None
    assert model.outputs(make_set(channels=3).images).shape == (60, 3, 8, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["objective=bce", "metric=val_loss"],
            "residual is for classification, which objective 'bce' does not measure",
        ),
        (["random_crop=[8,8]"], "inputs.crop and augment.random_crop must be equal"),
        (["inputs.size=[9,9]"], "has pictures of 1x10x10, the recipe wants 1 channels and size"),
        (["model.arguments.colour=3"], "colour"),
        (["model=resnet"], "resnet"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    settings: list[str], message: str, make_set: MakeSet, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        fitted(load_recipe("digits", settings), make_set, tmp_path, size=10)


def test_crops_are_trained_at_random_and_asked_in_the_centre(make_set: MakeSet, tmp_path: Path) -> None:
    _, model = fitted(small("crop=[8,8]", "random_crop=[8,8]", "crop_padding=0"), make_set, tmp_path, size=10)
    assert model.preprocess.input_shape == (1, 8, 8)
    assert model.outputs(make_set(size=10).images).shape == (60, 3)


def test_progress_is_told(make_set: MakeSet, tmp_path: Path) -> None:
    class Listener(Reporter):
        def __init__(self) -> None:
            self.steps: list[StepProgress] = []
            self.epochs: list[EpochRow] = []

        def step(self, progress: StepProgress) -> None:
            self.steps.append(progress)

        def epoch(self, row: EpochRow) -> None:
            self.epochs.append(row)

    listener = Listener()
    run, _ = fitted(small(), make_set, tmp_path, reporter=listener)
    assert [(p.step, p.num_steps, p.epoch, p.num_epochs) for p in listener.steps][::5] == [
        (1, 16, 1, 4),
        (6, 16, 2, 4),
        (11, 16, 3, 4),
        (16, 16, 4, 4),
    ]
    assert listener.steps[-1].seconds_left == 0
    assert listener.epochs == run.metrics()
    assert all(math.isfinite(p.images_per_second) for p in listener.steps)


def test_a_validation_loss_that_is_not_finite_is_never_the_best(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([math.nan, 0.5, math.inf, 0.7])
    monkeypatch.setattr("retinula.training.loop.validate", lambda *_: (next(losses), 0.9))
    run, model = fitted(small("metric=val_loss"), make_set, tmp_path)
    assert [row["val_loss"] for row in run.metrics()] == [None, 0.5, None, 0.7]
    assert model.provenance["kept_step"] == 8
    assert "validation loss after epoch 3 is inf" in run.log_file.read_text()


def test_killed_before_its_first_checkpoint_nothing_is_logged_twice(make_set: MakeSet, tmp_path: Path) -> None:
    class Dies(Reporter):
        def epoch(self, row: EpochRow) -> None:
            raise KeyError("killed after the first epoch's row")

    run = create_run(small(), {}, root=tmp_path)
    with pytest.raises(KeyError):
        train(small(), make_set(), make_set(24, seed=9), run, hardware=PLAIN, reporter=Dies())
    assert len(run.metrics()) == 1
    whole_run, whole = fitted(small(), make_set, tmp_path)
    assert_same_weights(train(small(), make_set(), make_set(24, seed=9), run), whole)  # on the same hardware
    assert comparable(run) == comparable(whole_run)


@pytest.mark.parametrize(("options", "message"), [({"num_classes": 2}, "same classes"), ({"size": 9}, "pictures of")])
def test_validation_pictures_have_to_fit(
    options: dict[str, int], message: str, make_set: MakeSet, tmp_path: Path
) -> None:
    run = create_run(small(), {}, root=tmp_path)
    with pytest.raises(InputError, match=message):
        train(small(), make_set(), make_set(12, **options), run, hardware=PLAIN)


def test_one_picture_is_too_few(make_set: MakeSet, tmp_path: Path) -> None:
    run = create_run(small(), {}, root=tmp_path)
    with pytest.raises(InputError, match="1 pictures are too few"):
        train(small(), make_set(1), None, run, hardware=PLAIN)


def test_snapshots_are_the_models_after_each_epoch(make_set: MakeSet, tmp_path: Path) -> None:
    run, model = fitted(small("snapshots=true", "keep=last"), make_set, tmp_path)
    assert [path.name for path in sorted(run.snapshots.iterdir())] == [
        f"epoch-000{n}.safetensors" for n in (1, 2, 3, 4)
    ]
    assert_same_weights(Model.load(run.snapshot_file(4)), model)
    first = Model.load(run.snapshot_file(1))
    assert first.provenance["kept_step"] == 4
    assert not torch.equal(*(next(iter(each.network.state_dict().values())) for each in (first, model)))
    plain, other = fitted(small("keep=last"), make_set, tmp_path)
    assert_same_weights(other, model)
    assert not plain.snapshots.exists()


def test_the_statistics_of_an_average_fit_its_weights(make_set: MakeSet, tmp_path: Path) -> None:
    # All pictures in one batch, so that its statistics are those of all.
    unchanged = ("flip=none", "augment.crop_padding=0", "batch_size=60", "epochs=12")
    _, model = fitted(small("training.average=0.99", "keep=last", "optimizer.lr=0.1", *unchanged), make_set, tmp_path)
    seen: list[torch.Tensor] = []
    last = [m for m in model.network.modules() if isinstance(m, torch.nn.BatchNorm2d)][-1]
    last.register_forward_hook(lambda layer, inputs, outputs: seen.append(inputs[0]))
    model.probs(make_set().images)
    assert last.running_var is not None
    # Of the newest weights they are half too large and more.
    torch.testing.assert_close(last.running_var, torch.cat(seen).var((0, 2, 3)), rtol=0.01, atol=1e-4)


def test_the_statistics_of_an_average_cost_an_epoch_at_most(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = list[int]()
    real = WeightAverage.renew_statistics

    def renewed(self: WeightAverage, batches: Iterable[torch.Tensor], *options: Any) -> None:
        given = list(batches)
        looked_at.append(sum(map(len, given)))
        real(self, given, *options)

    monkeypatch.setattr(WeightAverage, "renew_statistics", renewed)
    fitted(small("training.average=0.9"), make_set, tmp_path)
    assert looked_at == [60] * 4
    looked_at.clear()
    monkeypatch.setattr("retinula.training.loop.STATISTICS_IMAGES", 30)
    fitted(small("training.average=0.9", "epochs=1"), make_set, tmp_path)
    assert looked_at == [16 + 12], "the last batches of the epoch, as many as it takes"


def test_the_statistics_of_an_average_come_from_inputs_of_the_size_that_it_is_asked_with(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = list[int]()
    real = WeightAverage.renew_statistics

    def renewed(self: WeightAverage, batches: Iterable[torch.Tensor], *options: Any) -> int:
        given = list(batches)
        sides.extend(batch.shape[-1] for batch in given)
        return real(self, given, *options)

    monkeypatch.setattr(WeightAverage, "renew_statistics", renewed)
    # Of the sixteen steps the last alone has the full side.
    fitted(small("training.average=0.9", "sizes=[[0.0, 6], [0.93, 8]]"), make_set, tmp_path)
    assert sides == [8] * 16


def test_of_epochs_with_the_same_accuracy_the_one_with_the_lowest_loss_is_kept(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [(0.9, 0.5), (0.7, 0.5), (0.8, 0.5), (0.1, 0.4)]
    given = iter(values)
    monkeypatch.setattr("retinula.training.loop.validate", lambda *_: next(given))
    run, model = fitted(small(), make_set, tmp_path)
    assert [(row["val_loss"], row["val_accuracy"]) for row in run.metrics()] == values
    assert model.provenance["kept_step"] == 8
    # No accuracy was better than the first, however low the losses were.
    given = iter([(0.9, 0.5), (0.7, 0.5), (0.6, 0.5), (0.5, 0.5)])
    run, model = fitted(small("early_stopping=2"), make_set, tmp_path)
    assert len(run.metrics()) == 3
    assert model.provenance["kept_step"] == 12


def test_the_best_of_an_earlier_checkpoint_stays_the_best_of_its_equals(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter([(0.9, 0.5), (0.7, 0.5), (0.8, 0.5), (0.1, 0.4)])
    monkeypatch.setattr("retinula.training.loop.validate", lambda *_: next(given))
    run = create_run(small(), {}, root=tmp_path)
    sets = (make_set(), make_set(24, seed=9))
    with pytest.raises(Interrupted):
        train(small(), *sets, run, hardware=PLAIN, stop_requested=lambda: len(run.metrics()) == 1)
    saved = load_checkpoint(run, print)
    assert saved is not None
    assert saved["state"]["best"]["score"] == (0.5, -0.9)
    saved["state"]["best"]["score"] = 0.5
    save_checkpoint(run, saved["state"]["step"], saved)
    assert train(small(), *sets, run).provenance["kept_step"] == 4
