"""Where in a picture a classifier finds what speaks for a class: five methods, one form of answer.

Captum computes them (extra `explain`). A map says what the network used, not whether it was right to use it.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from retinula.errors import InputError, nearest
from retinula.explanation.layers import convolutions, sides_of_maps
from retinula.extras import load
from retinula.images import Images
from retinula.portions import portions
from retinula.trained.model_file import Model

Attribution = Literal["gradcam", "hirescam", "saliency", "integrated-gradients", "occlusion"]
ATTRIBUTIONS: tuple[Attribution, ...] = get_args(Attribution)
USUAL: Attribution = "hirescam"  # true of every network here, where Grad-CAM can be empty
SIGNED: frozenset[Attribution] = frozenset({"integrated-gradients", "occlusion"})  # what speaks against is below 0

# Grad-CAM looks at maps of at least a quarter of the picture's side, 8 of 32: smaller ones say hardly where.
SMALLEST_SHARE = 4
EXPLAINING = "explaining a decision"  # needs captum
STEPS = 32  # of the path that integrated gradients takes
PATCH_SHARE = 5  # a patch of occlusion covers this part of a side, and moves by a third of its own
PLACES = 16  # of a patch, tried together
MIDDLE = 0.5  # the grey that takes the place of the mean colour in models that know none
BATCH = 64  # pictures that go through the network together

Maps = NDArray[np.float32]
_Compute = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def attribute(model: Model, seen: Images, targets: NDArray[np.int64], method: Attribution) -> Maps:
    """Say of every pixel how much it speaks for a class.

    `gradcam`: the maps of one layer, weighted by how the class depends on each (Selvaraju et al. 2017); never below 0.
    `hirescam`: likewise, but every place of a map weighted by itself, so that it is also true of networks that lay
    their maps flat instead of averaging them (Draelos and Carin 2020). `saliency`: how strongly the class depends on a
    pixel, whichever way (Simonyan et al. 2013). `integrated-gradients`: a pixel's share in the difference to a plain
    colour (Sundararajan et al. 2017). `occlusion`: how far the class falls when a patch of that colour covers a place
    (Zeiler and Fergus 2014). The colour is the one that `plain_colour` names.

    Args:
        model: a classifier; it is not changed.
        seen: what the network sees, uint8 `[N, C, h, w]` of its `input_shape`, as `features.seen_picture` gives it.
        targets: the class asked about, of each picture.
        method: one of `ATTRIBUTIONS`.

    Returns:
        float32 `[N, h, w]`, in units of the class's logit (for `saliency` of its slope).

    Raises:
        InputError: captum is missing, the model reconstructs, arrays of another form, a class or a method that there is
            not; for `gradcam` and `hirescam` also a network without convolutions.
    """
    _check(model, seen, targets)
    computes: dict[Attribution, Callable[[Model], _Compute]] = {
        "gradcam": _gradcam,
        "hirescam": _hirescam,
        "saliency": _saliency,
        "integrated-gradients": _integrated_gradients,
        "occlusion": _occlusion,
    }
    if method not in computes:
        raise InputError(f"there is no method {method!r}{nearest(method, computes)}")
    model.network.eval()
    device = next(model.network.parameters()).device
    compute = computes[method](model)
    found = []
    for part in portions(len(seen), seen.shape[1:], most=BATCH):
        pictures = torch.from_numpy(seen[part].copy()).to(device)
        inputs = model.preprocess.normalise(pictures).requires_grad_()
        values = compute(inputs, torch.from_numpy(targets[part].copy()).to(device))
        found.append(values.detach().float().cpu().numpy())
    return np.concatenate(found)


def gradcam_layer(model: Model) -> str:
    """Return the layer that Grad-CAM and HiResCAM look at: the last whose maps are not too small to say where.

    That is behind an activation, where there is one (`layers.sides_of_maps`): what comes before it counts what the
    network never sees. Where all such maps are too small, the last of the largest.

    Raises:
        InputError: the network has no convolution.
    """
    first = next(iter(convolutions(model.network).values()), None)
    if first is None:
        raise InputError(f"{model.network_name} has no convolution to look at; choose saliency or occlusion")
    shape = model.preprocess.input_shape
    sides = sides_of_maps(model.network, torch.zeros(1, *shape, device=first.weight.device))
    needed = min(-(-min(shape[1:]) // SMALLEST_SHARE), max(sides.values()))
    return [name for name, side in sides.items() if side >= needed][-1]


def _gradcam(model: Model) -> _Compute:
    method = _captum().LayerGradCam(model.network, model.network.get_submodule(gradcam_layer(model)))

    def compute(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        maps = _single(method.attribute(inputs, targets, relu_attributions=True))
        return _enlarged(maps, inputs)

    return compute


def _hirescam(model: Model) -> _Compute:
    method = _captum().LayerGradientXActivation(model.network, model.network.get_submodule(gradcam_layer(model)))

    def compute(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        maps = _single(method.attribute(inputs, targets)).sum(dim=1, keepdim=True).relu()
        return _enlarged(maps, inputs)

    return compute


def _saliency(model: Model) -> _Compute:
    method = _captum().Saliency(model.network)
    return lambda inputs, targets: _single(method.attribute(inputs, targets)).amax(dim=1)


def _integrated_gradients(model: Model) -> _Compute:
    method = _captum().IntegratedGradients(model.network)

    def compute(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        found = method.attribute(inputs, _plain(model), targets, n_steps=STEPS, internal_batch_size=len(inputs))
        return _single(found).sum(dim=1)

    return compute


def _occlusion(model: Model) -> _Compute:
    method = _captum().Occlusion(model.network)
    channels, *size = model.preprocess.input_shape
    patch = [max(1, round(side / PATCH_SHARE)) for side in size]
    strides = (channels, *(max(1, side // 3) for side in patch))

    def compute(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            found = method.attribute(
                inputs, (channels, *patch), strides, _plain(model), targets, perturbations_per_eval=PLACES
            )
        return _single(found).mean(dim=1)

    return compute


def plain_colour(model: Model) -> str:
    """Say which colour stands for nothing to see: the mean one, or a middle grey where the model knows no mean."""
    return "the mean colour" if any(model.preprocess.mean) else "a middle grey"


def _plain(model: Model) -> torch.Tensor:
    """Return inputs `[1, C, h, w]` of that colour alone."""
    channels, *size = model.preprocess.input_shape
    colour = model.preprocess.mean if any(model.preprocess.mean) else (MIDDLE,) * channels
    picture = torch.tensor(colour, device=next(model.network.parameters()).device).view(1, -1, 1, 1)
    return model.preprocess.normalise(picture.expand(1, -1, *size))


def _enlarged(maps: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    larger = _captum().LayerAttribution.interpolate(maps, tuple(inputs.shape[2:]), interpolate_mode="bilinear")
    return _single(larger)[:, 0]


def _captum() -> Any:
    return load("explain", EXPLAINING, "captum.attr")


def _single(found: Any) -> torch.Tensor:
    result: torch.Tensor = found[0] if isinstance(found, tuple) else found
    return result


def check_explainable(model: Model) -> None:
    """See that a model's decisions can be explained here.

    Raises:
        InputError: captum is missing or broken, or the model reconstructs and decides nothing.
    """
    _captum()  # loaded, since one that is broken explains nothing either
    if not model.classifies:
        raise InputError(
            f"{model.network_name} gives pictures back and decides nothing; choose --method features or filters"
        )


def _check(model: Model, seen: Images, targets: NDArray[np.int64]) -> None:
    check_explainable(model)
    shape = model.preprocess.input_shape
    if seen.dtype != np.uint8 or seen.ndim != 4 or seen.shape[1:] != shape or not len(seen):
        raise InputError(
            f"pictures are uint8 [N, {', '.join(map(str, shape))}] with N above 0, not {seen.dtype} {list(seen.shape)}"
        )
    if targets.shape != (len(seen),) or not ((targets >= 0) & (targets < len(model.classes))).all():
        raise InputError(f"targets are a class for each of the {len(seen)} pictures, 0 to {len(model.classes) - 1}")
