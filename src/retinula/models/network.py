"""What is known of a kind of network before one is built."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

Task = Literal["classification", "reconstruction"]


@dataclass(frozen=True)
class Network:
    """One entry of the catalog.

    Attributes:
        name: what recipes, model files and the command line call it.
        task: `classification` gives logits `[N, K]`, `reconstruction` the logits of pictures `[N, C, H, W]`.
        build: makes the module from `num_classes`, `channels`, `size` and the network's own arguments.
        about: what it is, in a sentence.
        source: where it was published.
        parameters: how many it has in its published setting, which the last three fields give; None where nobody says.
        multiply_adds: for one picture in that setting, as `summary` counts them; None as well.
        num_classes: of the published setting.
        channels: of the published setting.
        size: height and width of the published setting.
        first_weights: sets the first weights where they are not those that PyTorch draws when the modules are made;
            `build` calls it, the constructors do not.
        unit_inputs: whether it takes pictures in 0..1 alone, as they are: it gives back its inputs but for a change.
    """

    name: str
    task: Task
    build: Callable[..., nn.Module]
    about: str
    source: str
    parameters: int | None
    multiply_adds: int | None
    num_classes: int
    channels: int = 3
    size: tuple[int, int] = (32, 32)
    first_weights: Callable[[nn.Module], None] | None = None
    unit_inputs: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The network's own arguments and their defaults."""
        parameters = inspect.signature(self.build).parameters.values()
        return {each.name: each.default for each in parameters if each.default is not each.empty}
