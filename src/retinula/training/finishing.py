"""What becomes of a training: its network, with all that is needed to use it, as a model."""

from dataclasses import replace
from datetime import UTC, datetime

import torch
from torch import nn

from retinula.errors import Diverged
from retinula.runs.run import Run
from retinula.trained.model_file import Model
from retinula.training.plan import Plan
from retinula.training.state import TrainState


def finished_model(plan: Plan, state: TrainState, run: Run, *, early: bool = False) -> Model:
    """Return the model of the weights that a training keeps, its best or its last ones.

    Args:
        plan: of the training.
        state: after its last step; its network belongs to the model from now on.
        run: that the model is of.
        early: whether somebody ended it before its recipe would have.

    Raises:
        Diverged: the weights are not finite.
    """
    recipe, best = plan.recipe, state.best
    network = state.evaluated
    chosen = recipe.training.keep == "best" and best.score is not None
    if chosen:
        network.load_state_dict(best.weights)
    if not all(bool(torch.isfinite(weights).all()) for weights in network.state_dict().values()):
        raise Diverged(
            f"{run.path}: the last steps left weights that are not finite", remedy="try a lower optimizer.lr"
        )
    kept = f"best {recipe.training.metric}" if chosen else "last"
    model = as_model(plan, state, run, network, best.step if chosen else state.step, kept)
    return replace(model, provenance={**model.provenance, "of_steps": plan.num_steps}) if early else model


def as_model(plan: Plan, state: TrainState, run: Run, network: nn.Module, kept_step: int, kept: str) -> Model:
    """Join a network with all that is needed to use it; the network belongs to the model from now on.

    Args:
        plan: of the training.
        state: where it stands.
        run: that the model is of.
        network: with the weights of the model.
        kept_step: after which step it had them.
        kept: why these, in words.
    """
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
