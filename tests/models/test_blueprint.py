"""Blueprint separable convolutions: what is filtered by what, and the penalty's gradient."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from retinula.models.blueprint import FORM_U, OrthonormalPointwise, mobilenetv2_bsconv_u
from retinula.models.catalog import build
from retinula.models.depthwise import Depthwise
from retinula.models.mobilenet import InvertedResidual
from retinula.models.summary import summarize


def test_layers_of_form_u_counted_by_hand() -> None:
    summary = summarize(mobilenetv2_bsconv_u(100, 3, (32, 32)), (3, 32, 32))
    rows = {row.name: (row.kind, row.parameters, row.multiply_adds) for row in summary.layers}
    # The first block that strides, 96 channels to 16, from 32x32 to 16x16.
    assert rows["features.4.conv.0.0"] == ("Conv2d", 16 * 96, 16 * 96 * 32 * 32)
    assert rows["features.4.conv.1"] == ("Conv2d", 16 * 96, 16 * 96 * 32 * 32)  # narrows all of the map
    assert rows["features.4.conv.2"] == ("Conv2d", 16 * 9, 16 * 9 * 16 * 16)  # then filters the 16 that are left
    assert rows["features.4.conv.3"] == ("BatchNorm2d", 2 * 16, 0)
    # A block saves 9 weights and 2 numbers of a normalisation a wide channel, and pays 9 weights a narrow one.
    hidden = [16, 48, 96, 96, 96, 96, 96, 192, 192, 192, 192, 288, 288, 288, 480, 480, 480]
    narrow = [8, 16, 16, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48, 80, 80, 80, 160]
    assert summary.parameters == 815_780 - (9 + 2) * sum(hidden) + 9 * sum(narrow)


def test_each_filter_of_form_u_has_one_window_at_many_scales() -> None:
    """Mixing, then filtering, is one full convolution whose windows are a filter's blueprint times a number."""
    torch.manual_seed(0)
    block = InvertedResidual(4, 8, stride=2, expansion=6, form=FORM_U)
    mixing, filtering = block.get_submodule("conv.1"), block.get_submodule("conv.2")
    assert isinstance(mixing, nn.Conv2d)
    assert isinstance(filtering, Depthwise)
    whole = mixing.weight * filtering.weight
    inputs = torch.rand(2, 24, 8, 8)
    assert torch.allclose(filtering(mixing(inputs)), F.conv2d(inputs, whole, None, 2, 1), atol=1e-5)


def test_form_s_is_the_plain_network_but_for_the_gradient() -> None:
    torch.manual_seed(0)
    plain = build("mobilenetv2", num_classes=10, width=0.25)
    constrained = build("mobilenetv2-bsconv-s", num_classes=10, width=0.25, orthonormality=0.5)
    constrained.load_state_dict(plain.state_dict(), strict=True)
    inputs = torch.rand(4, 3, 16, 16)
    for network in (plain, constrained):
        network.get_submodule("classifier.0").eval()
    logits = [network(inputs) for network in (plain, constrained)]
    assert torch.equal(*logits)
    for each in logits:
        each.square().sum().backward()
    penalty = torch.zeros(())
    layers = [module for module in constrained.modules() if isinstance(module, OrthonormalPointwise)]
    assert len(layers) == 17
    weights = [layer.weight.detach().clone().requires_grad_() for layer in layers]
    for weight in weights:
        rows = weight.flatten(1)
        penalty = penalty + 0.5 * torch.linalg.norm(rows @ rows.T - torch.eye(len(rows)))
    torch.autograd.backward(penalty)
    expected = {id(layer.weight): weight.grad for layer, weight in zip(layers, weights, strict=True)}
    for (name, theirs), mine in zip(plain.named_parameters(), constrained.parameters(), strict=True):
        assert theirs.grad is not None
        assert mine.grad is not None
        added = expected.get(id(mine), torch.zeros(()))
        assert added is not None
        assert torch.allclose(mine.grad, theirs.grad + added, rtol=1e-4, atol=1e-4), name


def test_the_penalty_alone_makes_rows_orthonormal() -> None:
    torch.manual_seed(0)
    layer = OrthonormalPointwise(12, 5, 0.1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for step in range(300):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 300)
        optimizer.zero_grad()
        (0 * layer(torch.rand(1, 12, 2, 2)).sum()).backward()
        optimizer.step()
    rows = layer.weight.detach().flatten(1)
    assert (rows @ rows.T - torch.eye(5)).abs().max() < 0.02


def test_at_orthonormal_rows_the_penalty_gives_a_finite_gradient() -> None:
    layer = OrthonormalPointwise(4, 2, 0.1)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(4)[:2, :, None, None])
    layer(torch.zeros(1, 4, 1, 1)).sum().backward()
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("training", [True, False])
def test_without_a_gradient_nothing_is_added(training: bool) -> None:
    layer = OrthonormalPointwise(4, 2, 0.1).train(training)
    inputs = torch.rand(2, 4, 3, 3)
    with torch.inference_mode():
        assert torch.equal(layer(inputs), F.conv2d(inputs, layer.weight))
