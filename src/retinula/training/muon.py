"""Muon: momentum whose step on a layer's weights is made orthogonal, so that all directions of a layer learn alike.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". Knows nothing of recipes or networks.
"""

from collections.abc import Iterable
from typing import Any

import torch

ORTHOGONALISES = "orthogonalises"  # of a group: whether Muon moves it; Adam moves the others
# A quintic whose iteration lifts every singular value to near 1, quickest for the small ones (as above).
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 3
LEAST_NORM = 1e-7
LEAST_DEVIATION = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for groups of layer weights, Adam for all others.

    A step of Muon moves a layer's weights by `lr` times their own norm, whatever their scale is. The step of a whole
    layer so depends on no layer above or below it, and the weights of normalised layers need no decay to keep learning.
    Weights that are all zero it cannot move.
    A first dimension is what comes out, the others are what goes in: filters are laid flat.

    Args:
        groups: dicts with `params`, `weight_decay` (decoupled, in multiples of the rate) and `orthogonalises`.
        lr: the rate of all groups, until it is set for each.
        momentum: of Muon.
        nesterov: whether Muon's momentum looks one step ahead.
        betas: of Adam.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        betas: tuple[float, float],
    ) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # of torch's two forms only one is offered
        """Move all weights that have a gradient; a closure to compute it is not taken."""
        if closure is not None:
            raise ValueError("Muon takes no closure: compute the gradients before the step")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                move = _move_orthogonally if group[ORTHOGONALISES] else _move_by_adam
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                move(parameter, parameter.grad, self.state[parameter], group)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Bring all singular values of a matrix `[m, n]`, float32, near to 1 and leave its singular vectors as they are.

    Near is between 0.65 and 1.25 for all that are at least a fiftieth of the matrix's norm.
    """
    tall = len(matrix) > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / (wide.norm() + LEAST_NORM)
    linear, cubic, quintic = QUINTIC
    for _ in range(ITERATIONS):
        squares = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(squares, squares, squares, beta=cubic, alpha=quintic), wide, beta=linear)
    return wide.T if tall else wide


def _move_orthogonally(
    parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]
) -> None:
    if not state:
        state["momentum"] = torch.zeros_like(parameter)
    state["momentum"].mul_(group["momentum"]).add_(gradient)
    ahead = gradient.add(state["momentum"], alpha=group["momentum"]) if group["nesterov"] else state["momentum"]
    direction = orthogonalised(ahead.reshape(len(ahead), -1))
    # With all singular values 1 it has the norm of a root of their number.
    length = parameter.norm() / min(direction.shape) ** 0.5
    parameter.add_(direction.view_as(parameter) * length, alpha=-group["lr"])


def _move_by_adam(
    parameter: torch.Tensor, gradient: torch.Tensor, state: dict[str, Any], group: dict[str, Any]
) -> None:
    if not state:
        state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
    state["step"] += 1
    first, second = group["betas"]
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].lerp_(gradient.square(), 1 - second)
    deviation = (state["square"] / (1 - second ** state["step"])).sqrt_().add_(LEAST_DEVIATION)
    parameter.addcdiv_(state["mean"], deviation, value=-group["lr"] / (1 - first ** state["step"]))
