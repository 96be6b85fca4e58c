"""The training loop.

It has no parameter for test pictures: nothing can be selected on them.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch
from torch import nn

from retinula.datasets.check import few_pictures
from retinula.durable import explained
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.images import ImageSet
from retinula.model_file import Model
from retinula.recipe import Recipe
from retinula.run import Run
from retinula.run_files import EpochRow, StepRow
from retinula.training import processes
from retinula.training.arrangement import arrange
from retinula.training.averaging import WeightAverage
from retinula.training.beginning import begin_from_pictures, check_single, check_sizes
from retinula.training.body import freeze_body, learning_normalisations, take_body
from retinula.training.checkpoint import load_checkpoint, save_checkpoint
from retinula.training.failure import keep_failure
from retinula.training.hardware import Hardware, choose_hardware, shared_hardware
from retinula.training.inputs import prepare
from retinula.training.optimizers import build_optimizer, set_learning_rate, take_step
from retinula.training.plan import Plan, build_network, make_plan, make_preprocess
from retinula.training.ranking import score
from retinula.training.reporting import Reporter, StepProgress
from retinula.training.state import EpochSums, TrainState
from retinula.training.tracking import Tracking, tracking
from retinula.training.validation import validate
from retinula.transfer import Source
from retinula.transforms.batches import Batch, seed_for
from retinula.transforms.preprocess import Preprocess

CHECKPOINT_SECONDS = 60.0
# Of an average, where an epoch has so many: enough for means and deviations to a few per cent on maps of one pixel.
STATISTICS_IMAGES = 4096


def train(
    recipe: Recipe,
    train_set: ImageSet,
    validation_set: ImageSet | None,
    run: Run,
    *,
    source: Source | None = None,
    reporter: Reporter | None = None,
    hardware: Hardware | None = None,
    stop_requested: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Model:
    """Train as the recipe says, going on from the run's newest checkpoint where there is one.

    Args:
        recipe: the experiment.
        train_set: labelled pictures at the size of the recipe's inputs.
        validation_set: pictures to choose by, or None: then the last weights are kept.
        run: the folder that takes logs, checkpoints and the model file.
        source: the model that the recipe begins from, where it names one; a checkpoint makes it needless.
        reporter: told what happens.
        hardware: what to compute with; measured where None.
        stop_requested: asked after every step; when it says yes, everything is saved and `Interrupted` raised.
        checkpoint_seconds: the longest time between two checkpoints; the end of an epoch makes one as well, unless
            the last is younger than a tenth of that.
        clock: seconds.

    Raises:
        Interrupted: a stop was requested; the run can go on from here.
        InputError: recipe, data and checkpoint do not fit together.
        RetinulaError: the loss is not finite (what led to it is kept in the run's folder), or a disk refuses.
    """
    reporter = reporter or Reporter()

    def tell(text: str) -> None:
        run.note(text)
        reporter.message(text)

    saved = processes.by_first(lambda: _newest_checkpoint(run, tell))
    origin = _origin(recipe, source, saved)
    for warning in few_pictures(train_set):
        tell(warning)
    preprocess = make_preprocess(recipe, train_set)
    network = _network(recipe, train_set, preprocess)
    if saved is None:
        begin_from_pictures(network, train_set, preprocess)
        if source is not None:
            take_body(network, source.model.network)
            tell(f"begins from {source}; {'only the new head' if recipe.model.freeze else 'all of it'} is trained")
    fits = {
        "recipe": recipe.digest(),
        "data": train_set.fingerprint(),
        "validation": None if validation_set is None else validation_set.fingerprint(),
    }
    processes.check_alike(fits, "the recipe or the pictures here are not those of the first process")
    if saved is not None:
        _check_fit(saved["fits"], fits, run)
        hardware = _saved_hardware(saved["hardware"], run)
    elif hardware is None:
        reporter.loading("measuring what computes fastest here", 0, None)
    choose = partial(choose_hardware, network, preprocess.input_shape, precision=recipe.training.precision)
    hardware = shared_hardware(hardware, choose, max(2, min(recipe.training.batch_size, len(train_set))))
    torch.set_num_threads(hardware.threads)
    plan = make_plan(recipe, train_set, validation_set, preprocess, hardware, origin)
    tell(f"computing on {hardware.words} ({hardware.reason})")
    state = _new_state(plan, network)

    def save() -> None:
        _settle(state)
        if not processes.is_first():
            return
        content = {"fits": fits, "hardware": hardware.to_dict(), "source": origin, "state": state.to_dict()}
        save_checkpoint(run, state.step, content)

    if saved is None:
        save()  # so that a run killed early goes on with the same hardware: measuring again could choose another
    else:
        state.restore(saved["state"])
        tell(f"going on from step {state.step} of {plan.num_steps}")
    run.cut_logs(state.step)
    with tracking(recipe, run, state.step) if processes.is_first() else nullcontext(Tracking(())) as tracked:
        _run_steps(plan, state, run, tracked, reporter, save, stop_requested, checkpoint_seconds, clock)
    model = _finished_model(plan, state, run)
    if processes.is_first():
        model.save(run.model_file)
    return model


def _run_steps(
    plan: Plan,
    state: TrainState,
    run: Run,
    tracked: Tracking,
    reporter: Reporter,
    save: Callable[[], None],
    stop_requested: Callable[[], bool],
    checkpoint_seconds: float,
    clock: Callable[[], float],
) -> None:
    """Step until the end; whatever happens on the way, the steps that were made are in the log."""
    if _stops_early(plan, state):
        return  # killed between its last checkpoint and the model file
    rows: list[StepRow] = []

    def log_steps() -> None:
        made = rows.copy()
        rows.clear()
        run.add_steps(made)
        tracked.add_steps(made)

    saved_at = started = clock()
    first_step = state.step
    try:
        for batch in plan.batches.batches(state.step, plan.num_steps):
            begun = clock()
            learning_rate = plan.recipe.optimizer.lr * plan.rate(batch.step / plan.num_steps)
            loss, correct = _one_step(plan, state, batch, learning_rate, run)
            state.step = batch.step + 1
            if state.average:
                state.average.update(state.network, state.step)
            now = clock()
            _add(state.sums, loss, len(batch.indices), correct, now - begun)
            rows.append((state.step, batch.epoch + 1, loss, learning_rate, now - begun))
            reporter.step(_progress(plan, state, batch, loss, (now - started) / (state.step - first_step)))
            if _ends_epoch(plan, state):
                row = _end_epoch(plan, state, batch.epoch + 1, learning_rate, run)
                tracked.add_metrics(row)
                reporter.epoch(row)
            done = state.step == plan.num_steps or _stops_early(plan, state)
            age = clock() - saved_at
            due = age >= (checkpoint_seconds / 10 if _ends_epoch(plan, state) else checkpoint_seconds)
            stop, due = processes.any_process(stop_requested() and not done, due)
            if done or stop or due:
                log_steps()
                save()
                saved_at = clock()
            if stop:
                run.note(f"stopped at step {state.step}")
                raise Interrupted(f"stopped at step {state.step} of {plan.num_steps}; all is saved in {run.path}")
            if done:
                return
    finally:
        log_steps()


def _one_step(plan: Plan, state: TrainState, batch: Batch, learning_rate: float, run: Run) -> tuple[float, int | None]:
    """Move the weights once; return the batch's loss, and how many of its pictures were right where that counts."""
    inputs, targets, labels, share = prepare(plan, batch)
    correct: int | None = None

    def backward() -> torch.Tensor:
        nonlocal correct
        with plan.hardware.autocast():
            outputs = state.twin(inputs)
        loss = plan.loss(outputs, targets)
        # Gradients are averaged over the processes, losses summed up.
        (loss * (share * processes.count())).backward()  # type: ignore[no-untyped-call]  # torch's own
        loss = loss.detach() * share
        if labels is None or correct is not None:  # SAM's second pass asks other weights
            return processes.summed(loss)[0]
        right = (outputs.detach().argmax(dim=1) == labels).sum() * (share > 0)
        loss, right = processes.summed(loss, right)
        correct = int(right)
        return loss

    torch.manual_seed(seed_for(plan.recipe.seed, processes.own("network"), batch.step))  # dropout draws from this one
    set_learning_rate(state.optimizer, learning_rate)
    loss = float(take_step(state.optimizer, state.twin, backward, plan.recipe.optimizer.clip_norm))
    if not math.isfinite(loss):
        keep_failure(plan, batch, loss, learning_rate, run)
    return loss, correct


def _end_epoch(plan: Plan, state: TrainState, epoch: int, learning_rate: float, run: Run) -> EpochRow:
    """Validate, keep the best weights, write the epoch's row, and begin new sums."""
    sums = state.sums
    row: EpochRow = {
        "epoch": epoch,
        "step": state.step,
        "loss": sums.loss / sums.num_images,
        "accuracy": None if sums.correct is None else sums.correct / sums.num_images,
        "val_loss": None,
        "val_accuracy": None,
        "learning_rate": learning_rate,
        "seconds": sums.seconds,
        "images_per_second": sums.num_images / sums.seconds if sums.seconds else None,
    }
    if plan.validation_set is not None or plan.recipe.training.snapshots or state.step == plan.num_steps:
        _make_ready(plan, state)
    if plan.validation_set is not None:
        loss, accuracy = validate(plan, state.evaluated, plan.validation_set)
        row["val_loss"], row["val_accuracy"] = loss, accuracy
        if not math.isfinite(loss):
            run.note(f"the validation loss after epoch {epoch} is {loss}: not kept as the best")
            row["val_loss"] = None
        state.best.offer(score(row, plan.recipe.training.metric), state.step, state.evaluated)
    if plan.recipe.training.snapshots and processes.is_first():
        with explained(run.snapshots):
            run.snapshots.mkdir(exist_ok=True)
        network = copy.deepcopy(state.evaluated)
        _as_model(plan, state, run, network, state.step, "epoch").save(run.snapshot_file(epoch))
    run.add_metrics(row)
    state.sums = EpochSums()
    return row


def _make_ready(plan: Plan, state: TrainState) -> None:
    """Fit the statistics of an average to its weights, on the pictures of the last steps as these saw them."""
    _settle(state)
    if state.average:
        count = min(-(-STATISTICS_IMAGES // plan.batches.batch_size), plan.batches.steps_per_epoch)
        last = plan.batches.batches(max(state.step - count, 0), state.step)
        state.average.renew_statistics((prepare(plan, batch).inputs for batch in last), plan.hardware.autocast)
        processes.average_statistics(state.average.normalisations)


def _settle(state: TrainState) -> None:
    """Make the running statistics of several processes one."""
    processes.average_statistics(learning_normalisations(state.twin))


def _ends_epoch(plan: Plan, state: TrainState) -> bool:
    return state.step % plan.batches.steps_per_epoch == 0 or state.step == plan.num_steps


def _stops_early(plan: Plan, state: TrainState) -> bool:
    patience = plan.recipe.training.early_stopping
    return bool(patience and _ends_epoch(plan, state) and state.best.epochs_since >= patience)


def _progress(plan: Plan, state: TrainState, batch: Batch, loss: float, seconds_per_step: float) -> StepProgress:
    return StepProgress(
        step=state.step,
        num_steps=plan.num_steps,
        epoch=batch.epoch + 1,
        num_epochs=plan.num_epochs,
        loss=loss,
        images_per_second=len(batch.indices) / seconds_per_step if seconds_per_step else 0.0,
        seconds_left=seconds_per_step * (plan.num_steps - state.step),
    )


def _add(sums: EpochSums, loss: float, num_images: int, correct: int | None, seconds: float) -> None:
    sums.loss += loss * num_images
    sums.num_images += num_images
    sums.seconds += seconds
    sums.correct = None if sums.correct is None or correct is None else sums.correct + correct


def _origin(recipe: Recipe, source: Source | None, saved: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what the model says of itself that a training begins from, or began from."""
    origin = saved.get("source") if saved is not None else None if source is None else source.to_dict()
    if recipe.model.weights is not None and origin is None:
        raise InputError(f"{recipe.name} begins from {recipe.model.weights}: read it with retinula.transfer.begin_from")
    return origin


def _network(recipe: Recipe, train_set: ImageSet, preprocess: Preprocess) -> nn.Module:
    """Build the recipe's network with its first weights, and see that the recipe can be trained with it."""
    torch.manual_seed(seed_for(recipe.seed, "weights"))
    network = build_network(recipe, len(train_set.classes), preprocess)
    check_sizes(network, recipe.model.name, preprocess.input_shape, [side for _, side in recipe.training.sizes])
    if recipe.model.freeze:
        freeze_body(network)
    check_single(network, recipe, preprocess.input_shape)
    return network


def _new_state(plan: Plan, network: nn.Module) -> TrainState:
    network = plan.hardware.place(network)
    decay = plan.recipe.training.average
    return TrainState(
        network=network,
        twin=processes.shared(arrange(network, plan.hardware.ways)),
        optimizer=build_optimizer(plan.recipe.optimizer, network, torch.device(plan.hardware.device)),
        average=WeightAverage(network, decay) if decay else None,
    )


def _newest_checkpoint(run: Run, tell: Callable[[str], None]) -> dict[str, Any] | None:
    saved = load_checkpoint(run, tell)
    if saved is None and run.steps():
        raise InputError(f"{run.path} has steps in its log but no checkpoint, so it cannot go on; begin a new run")
    return saved


def _check_fit(saved: dict[str, str | None], now: dict[str, str | None], run: Run) -> None:
    if saved["recipe"] != now["recipe"]:
        raise InputError(f"{run.path}: its checkpoint belongs to another recipe; begin a new run for this one")
    for key, what in (("data", "training"), ("validation", "validation")):
        if saved.get(key) != now[key]:
            raise InputError(f"{run.path}: the {what} pictures have changed since its checkpoint; begin a new run")


def _saved_hardware(saved: dict[str, Any], run: Run) -> Hardware:
    try:
        return Hardware.from_dict(saved)
    except InputError as error:
        raise InputError(f"{run.path}: {error}") from error


def _finished_model(plan: Plan, state: TrainState, run: Run) -> Model:
    recipe, best = plan.recipe, state.best
    network = state.evaluated
    chosen = recipe.training.keep == "best" and best.score is not None
    if chosen:
        network.load_state_dict(best.weights)
    if not all(bool(torch.isfinite(weights).all()) for weights in network.state_dict().values()):
        raise RetinulaError(f"{run.path}: the last steps left weights that are not finite; try a lower optimizer.lr")
    kept = f"best {recipe.training.metric}" if chosen else "last"
    return _as_model(plan, state, run, network, best.step if chosen else state.step, kept)


def _as_model(plan: Plan, state: TrainState, run: Run, network: nn.Module, kept_step: int, kept: str) -> Model:
    """Join a network with all that is needed to use it; the network belongs to the model from now on."""
    recipe = plan.recipe
    provenance = {
        "run": run.name,
        "recipe": recipe.name,
        "digest": recipe.digest(),
        "seed": recipe.seed,
        "data": plan.train_set.name,
        "fingerprint": plan.train_set.fingerprint(),
        **{f"data_{key}": value for key, value in plan.train_set.provenance.items()},
        "num_images": len(plan.train_set),
        "hardware": plan.hardware.words,
        "steps": state.step,
        "kept_step": kept_step,
        "kept": kept,
        "trained": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if plan.origin is not None:
        provenance["source"] = plan.origin
    return Model(
        network=network.to("cpu").eval().requires_grad_(False),
        network_name=recipe.model.name,
        arguments=dict(recipe.model.arguments),
        classes=plan.train_set.classes,
        preprocess=plan.preprocess,
        superclasses=plan.train_set.superclasses,
        provenance=provenance,
    )
