"""TrainState: all that a training has to remember between two steps.

The order of the pictures and all chances are functions of seed and step (`transforms.batches`), so no generator and
no position is remembered but the step.
"""

import copy
import math
from collections.abc import Set
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from retinula.training import processes
from retinula.training.arrangement import arrange
from retinula.training.averaging import WeightAverage
from retinula.training.optimizers import build_optimizer
from retinula.training.plan import Plan


@dataclass
class EpochSums:
    """What is added up over the steps of an epoch; `correct` is None where labels were mixed."""

    loss: float = 0.0
    num_images: int = 0
    correct: int | None = 0
    seconds: float = 0.0

    def add(self, loss: float, num_images: int, correct: int | None, seconds: float) -> None:
        """Take in a step: the mean loss of its pictures, their number, how many were right, and how long it took."""
        self.loss += loss * num_images
        self.num_images += num_images
        self.seconds += seconds
        self.correct = None if self.correct is None or correct is None else self.correct + correct


@dataclass
class Best:
    """The best weights so far by the recipe's metric, and since how many epochs there was no better value of it.

    `score` is a pair of what counts and of what decides where that is the same; higher is better in both.
    """

    score: tuple[float, float] | None = None
    step: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    epochs_since: int = 0

    def offer(self, score: tuple[float, float], step: int, network: nn.Module) -> None:
        """Take the weights over when `score` is above the best one so far and all of it is finite."""
        self.epochs_since += 1
        if not all(map(math.isfinite, score)):
            return
        if self.score is None or score[0] > self.score[0]:
            self.epochs_since = 0
        if self.score is None or score > self.score:
            self.score, self.step = score, step
            self.weights = copy.deepcopy(network.state_dict())


@dataclass
class TrainState:
    """The network, what moves it, and where the training stands.

    `twin` is the network as the steps run it, with the same weights (`arrangement.arrange`).
    """

    network: nn.Module
    twin: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    step: int = 0
    sums: EpochSums = field(default_factory=EpochSums)
    best: Best = field(default_factory=Best)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is asked and kept: the averaged one where there is an average."""
        return self.average.network if self.average else self.network

    def to_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts, lists, numbers and tensors."""
        return {
            "step": self.step,
            "network": dict(self.network.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "average": dict(self.average.network.state_dict()) if self.average else None,
            "sums": asdict(self.sums),
            "best": {
                "score": self.best.score,
                "step": self.best.step,
                "epochs_since": self.best.epochs_since,
            },
            "best_weights": dict(self.best.weights),
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Take over what `to_dict` gave.

        Raises:
            RuntimeError: it belongs to another network, as do `KeyError` and `ValueError`.
        """
        self.network.load_state_dict(values["network"])
        if self.average:
            self.average.network.load_state_dict(values["average"])
        self.optimizer.load_state_dict(values["optimizer"])
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                # A file holds tensors in plain order, but a fused step runs through a weight and its moments as
                # they lie in memory, and takes for granted that they lie alike.
                if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(value)
        self.step = values["step"]
        self.sums = EpochSums(**values["sums"])
        best = values["best"]
        if isinstance(best["score"], float):  # of an earlier version, by which the first of equal epochs was kept
            best = {**best, "score": (best["score"], 0.0)}  # as if it had no loss
        self.best = Best(weights=values["best_weights"], **best)


def new_state(plan: Plan, network: nn.Module, began_at_zero: Set[str] | None = None) -> TrainState:
    """Return the state of a training before its first step.

    Args:
        plan: of the training.
        network: with its first weights, on the CPU; it belongs to the state from now on.
        began_at_zero: as for `optimizers.build_optimizer`.

    Raises:
        InputError: its optimizer does not fit the network.
    """
    network = plan.hardware.place(network)
    decay = plan.recipe.training.average
    return TrainState(
        network=network,
        twin=processes.shared(arrange(network, plan.hardware.ways)),
        optimizer=build_optimizer(plan.recipe.optimizer, network, torch.device(plan.hardware.device), began_at_zero),
        average=WeightAverage(network, decay) if decay else None,
    )
