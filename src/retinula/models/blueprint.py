"""MobileNetV2 of blueprint separable convolutions (Haase and Amthor 2020): one window a filter, scaled a channel.

A convolution's windows resemble each other more within a filter than across filters, so the paper filters after it has
mixed the channels, not before. Form U mixes by one matrix. Form S mixes by a thin and a wide matrix, the thin one held
near orthonormal rows; in MobileNetV2 these are a block's narrowing and the next block's widening, so that by the
authors' own code form S differs from the plain network in the penalty alone.
"""

import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.depthwise import Depthwise
from retinula.models.mobilenet import Form, MobileNetV2, filtered, in_form, widen


class OrthonormalPointwise(nn.Conv2d):
    """A 1x1 convolution that learns, beside what the loss asks of it, rows of length 1 at right angles.

    While training, the gradient of `strength` times the Frobenius norm of `W W^T - I` is added to the weight's own. It
    is as if the penalty stood in the loss, at a scale of 1, but the loss that is shown stays that of the pictures.
    """

    def __init__(self, channels_in: int, channels_out: int, strength: float) -> None:
        super().__init__(channels_in, channels_out, 1, bias=False)
        self.strength = strength

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[N, channels_in, H, W]` to `[N, channels_out, H, W]`."""
        if not self.training or not torch.is_grad_enabled():
            return super().forward(inputs)
        weight: torch.Tensor = _Penalised.apply(self.weight, self.strength)  # type: ignore[no-untyped-call]  # torch's
        outputs: torch.Tensor = self._conv_forward(inputs, weight, None)
        return outputs


class _Penalised(torch.autograd.Function):
    """The weight itself going forward; the penalty's gradient added going back."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.save_for_backward(weight)
        ctx.strength = strength  # type: ignore[attr-defined]  # the way torch keeps what is no tensor
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weight,) = ctx.saved_tensors  # type: ignore[attr-defined]  # the stubs lack it
        rows = weight.flatten(1)
        excess = rows @ rows.T - torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
        # Of the norm itself, not of its square, as the authors have it; at an exact zero its gradient is nothing.
        norm = torch.linalg.norm(excess).clamp_min(torch.finfo(rows.dtype).tiny)
        strength: float = ctx.strength  # type: ignore[attr-defined]  # kept there by forward
        return gradient + (strength * 2 / norm * (excess @ rows)).view_as(weight), None


def mobilenetv2_bsconv_u(
    num_classes: int, channels: int, size: tuple[int, int], *, width: float = 0.5, dropout: float = 0.2
) -> MobileNetV2:
    """Build MobileNetV2 with form U: each block narrows first, then filters the few channels that are left.

    The paper brings form U to MobileNetV1 and form S to MobileNetV2; this carries its step for the former (the
    depthwise and the 1x1 convolution change places, nothing between them) to the blocks of the latter. The arguments
    are those of `mobilenetv2`.

    Raises:
        InputError: width or dropout is out of its range.
    """
    del size
    return in_form(FORM_U, num_classes, channels, width=width, dropout=dropout)


def mobilenetv2_bsconv_s(
    num_classes: int,
    channels: int,
    size: tuple[int, int],
    *,
    width: float = 0.5,
    dropout: float = 0.2,
    orthonormality: float = 0.1,
) -> MobileNetV2:
    """Build MobileNetV2 with form S: the plain network, its narrowing matrices drawn to orthonormal rows.

    Args:
        num_classes: the number of logits.
        channels: of the inputs.
        size: of the inputs; any.
        width: as of `mobilenetv2`.
        dropout: as of `mobilenetv2`.
        orthonormality: weight of the penalty; 0.1 is the paper's, 0 gives the plain network.

    Raises:
        InputError: an argument is out of its range.
    """
    del size
    if not 0 <= orthonormality <= 1:
        raise InputError(f"mobilenetv2-bsconv-s: orthonormality must lie between 0 and 1, not {orthonormality}")

    def narrow(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
        convolution = OrthonormalPointwise(channels_in, channels_out, orthonormality)
        return [filtered(channels_in, stride), convolution, nn.BatchNorm2d(channels_out)]

    return in_form(Form("mobilenetv2-bsconv-s", widen, narrow), num_classes, channels, width=width, dropout=dropout)


def _mixed_first(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels_out, 1, bias=False)
    return [convolution, Depthwise(channels_out, stride), nn.BatchNorm2d(channels_out)]


FORM_U = Form("mobilenetv2-bsconv-u", widen, _mixed_first)
