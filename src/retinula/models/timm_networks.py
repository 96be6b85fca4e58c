"""Networks of the package timm, by `timm/` and the name that they have there: built, and their published weights read.

Only names that timm itself lists are taken, and only sizes and numbers are passed on: a model file of someone else
can neither fetch nor open anything by them. Knows nothing of where files come from.
"""

import copy
from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from retinula.errors import InputError, first_line, nearest
from retinula.extras import load
from retinula.models.network import Network

PREFIX: Final = "timm/"
_SOURCE: Final = "R. Wightman, PyTorch Image Models, 2019, where each network's own source is named"
_NUM_CLASSES: Final = 1000  # of ImageNet, for which the networks there are published
# What timm answers by where a network cannot be built or run as it is asked for: each has its own ways.
_REFUSALS: Final = (TypeError, ValueError, AssertionError, RuntimeError, LookupError, ArithmeticError, AttributeError)


class Published(NamedTuple):
    """What timm says of weights that are published for one of its networks.

    Attributes:
        name: after the prefix, with the tag of the weights, such as `resnet18.a1_in1k`.
        repository: that they lie in on the Hugging Face Hub.
        shape: channels, height and width of inputs.
        mean: subtracted from each channel of pictures in 0..1.
        std: divided by.
        resample: the filter that made pictures small.
        num_classes: that they tell apart.
        licence: of the weights, which may be narrower than that of timm; empty where it is not said.
    """

    name: str
    repository: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: str
    num_classes: int
    licence: str


def is_of_timm(name: str) -> bool:
    """Tell whether a name asks for a network of timm, whether there is one or not.

    >>> is_of_timm("timm/resnet18"), is_of_timm("residual")
    (True, False)
    """
    return name.startswith(PREFIX)


@cache
def timm_network(name: str) -> Network:
    """Return what is known of a network of timm.

    Args:
        name: such as `timm/resnet18`, without a tag of published weights.

    Raises:
        InputError: timm is not installed or knows none of that name, or it ends in no linear layer of its own.
    """
    architecture = _known(name)
    if "." in architecture:
        raise InputError(
            f"{name} names weights, not a network: begin from them with --model {name}, or give "
            f"model.name={name.partition('.')[0]} for new ones"
        )
    usual = _timm().get_pretrained_cfg(architecture)
    channels, height, width = (3, 224, 224) if usual is None else usual.input_size
    return Network(
        name=name,
        task="classification",
        build=partial(_build, architecture),
        about="A network of timm.",
        source=_SOURCE,
        parameters=None,
        multiply_adds=None,
        num_classes=_NUM_CLASSES,
        channels=channels,
        size=(height, width),
    )


def published(name: str) -> Published:
    """Return what is known of weights that are published for a network of timm, without fetching them.

    Args:
        name: such as `timm/resnet18.a1_in1k`; without a tag the weights that timm prefers.

    Raises:
        InputError: timm is not installed, or has no such weights as a safetensors file on the Hub.
    """
    known = _known(name)
    told = _timm().get_pretrained_cfg(known)
    if told is None or not told.hf_hub_id or told.hf_hub_filename:
        raise InputError(
            f"{name}: timm has no weights of it to be read without pickle; give model.name={name.partition('.')[0]} "
            "for new ones"
        )
    architecture = known.partition(".")[0]
    return Published(
        name=f"{architecture}.{told.tag}" if told.tag else architecture,
        repository=told.hf_hub_id,
        shape=tuple(told.input_size),
        mean=tuple(told.mean),
        std=tuple(told.std),
        resample=told.interpolation if told.interpolation in ("bilinear", "bicubic") else "bicubic",
        num_classes=told.num_classes,
        licence=told.license or "",
    )


def with_weights(weights: Published, tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    """Build a network of timm with published weights, by timm's own conversions, for the classes they tell apart.

    Args:
        weights: which these are.
        tensors: by name, as they are published.

    Raises:
        InputError: they do not fit the network.
    """
    try:
        network: nn.Module = _timm().create_model(
            weights.name, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(tensors)}
        )
    except _REFUSALS as error:
        raise InputError(f"{PREFIX}{weights.name}: these are not its weights ({first_line(error)})") from error
    _check_head(weights.name, network)
    return network


def check_inputs(name: str, network: nn.Module, input_shape: tuple[int, int, int]) -> None:
    """See that a network of timm takes inputs of the size that it was built for: many tell only once they are asked.

    Args:
        name: of the network, for messages.
        network: left as it is.
        input_shape: channels, height and width.

    Raises:
        InputError: it does not.
    """
    asked = copy.deepcopy(network).eval()  # some keep what they work out on the way
    try:
        with torch.inference_mode():
            asked(torch.zeros(1, *input_shape))
    except _REFUSALS as error:
        _, height, width = input_shape
        raise InputError(
            f"{name} takes no inputs of {height}x{width} ({first_line(error)}): give a larger inputs.size"
        ) from error


def class_names(num_classes: int) -> tuple[str, ...]:
    """Return the names of ImageNet's classes where the number is that of one of its selections, else numbers.

    A name is the first that WordNet has; where two classes share it, the number of the synset comes after it.
    """
    data = load("models", "a network of timm", "timm.data")
    selection = data.infer_imagenet_subset({"num_classes": num_classes})
    if selection is None:
        return tuple(f"class {number}" for number in range(num_classes))
    info = data.ImageNetInfo(selection)
    first = [info.index_to_description(number).split(",")[0] for number in range(num_classes)]
    count, synsets = Counter(first), info.label_names()
    return tuple(name if count[name] == 1 else f"{name} {synset}" for name, synset in zip(first, synsets, strict=True))


def _build(
    architecture: str,
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
) -> nn.Module:
    timm = _timm()
    usual = timm.get_pretrained_cfg(architecture)
    given: dict[str, Any] = {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}
    for name, share in given.items():
        if not 0 <= share < 1:
            raise InputError(f"{PREFIX}{architecture}: {name} must be at least 0 and below 1, not {share}")
    given = {name: share for name, share in given.items() if share}
    if usual is not None and usual.fixed_input_size:
        given["img_size"] = size
    try:
        network: nn.Module = timm.create_model(architecture, num_classes=num_classes, in_chans=channels, **given)
    except _REFUSALS as error:
        asked = ", ".join(f"{name}={value}" for name, value in given.items())
        raise InputError(
            f"{PREFIX}{architecture} cannot be built{f' with {asked}' if asked else ''} ({first_line(error)})"
        ) from error
    _check_head(architecture, network)
    return network


def _check_head(architecture: str, network: nn.Module) -> None:
    """See that the last linear layer is the one that gives the classes: features and transfer go by it."""
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if not linear or linear[-1] is not network.get_classifier():  # type: ignore[operator]  # what all networks of timm have
        raise InputError(f"{PREFIX}{architecture} does not end in one linear layer, as networks have to here")


def _known(name: str) -> str:
    """Return a network's name in timm, perhaps with a tag; raises `InputError` where timm has none such."""
    timm = _timm()
    known = name.removeprefix(PREFIX)
    architecture, _, tag = known.partition(".")
    if not timm.is_model(architecture):
        raise InputError(f"timm has no network {architecture!r}{nearest(architecture, timm.list_models())}")
    if tag and known not in (tagged := timm.list_pretrained(f"{architecture}.*")):
        raise InputError(f"timm has no weights {known!r}{nearest(known, tagged)}")
    return known


def _timm() -> Any:
    return load("models", "a network of timm", "timm")
