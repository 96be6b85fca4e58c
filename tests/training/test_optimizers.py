import copy

import pytest
import torch
from torch import nn

from retinula.errors import InputError
from retinula.models.catalog import build
from retinula.recipe.sections import Optimizer
from retinula.training.muon import orthogonalised
from retinula.training.optimizers import build_optimizer, running_statistics_kept, set_learning_rate, take_step

CPU = torch.device("cpu")


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def weight_of(network: nn.Module) -> nn.Parameter:
    return network.get_parameter("0.weight")


INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(16) % 2


def loss_of(network: nn.Module) -> torch.Tensor:
    loss: torch.Tensor = nn.functional.cross_entropy(network(INPUTS), LABELS)
    return loss


def step(network: nn.Module, optimizer: torch.optim.Optimizer, clip: float = 0.0) -> torch.Tensor:
    def backward() -> torch.Tensor:
        loss = loss_of(network)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        return loss.detach()

    return take_step(optimizer, network, backward, clip)


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        (Optimizer(name="sgd", lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (
            Optimizer(name="sgd", lr=0.1, momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        ),
        (Optimizer(name="adam", lr=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
        (
            Optimizer(name="adamw", lr=0.01, betas=(0.8, 0.95)),
            lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0),
        ),
        (Optimizer(name="adam", lr=0.01, eps=0.1), lambda p: torch.optim.Adam(p, lr=0.01, eps=0.1)),
        (Optimizer(name="adamw", lr=0.01, eps=0.1), lambda p: torch.optim.AdamW(p, lr=0.01, eps=0.1, weight_decay=0)),
    ],
)
def test_steps_are_those_of_torch(settings: Optimizer, reference: object) -> None:
    ours, theirs = small_network(), small_network()
    optimizer = build_optimizer(settings, ours, CPU)
    other = reference(theirs.parameters())  # type: ignore[operator]  # a lambda above
    for _ in range(5):
        step(ours, optimizer)
        # The very same gradients: of a bias before normalisation they are rounding noise, which Adam makes large.
        for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
            two.grad = None if one.grad is None else one.grad.clone()
        other.step()
    for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_decay_spares_biases_and_normalisation() -> None:
    network = small_network()
    optimizer = build_optimizer(Optimizer(name="sgd", lr=0.1, weight_decay=0.5), network, CPU)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decays[id(p)] for name, p in network.named_parameters()} == {
        "0.weight": 0.5,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "3.weight": 0.5,
        "3.bias": 0.0,
    }


def test_frozen_weights_are_left_alone() -> None:
    network = small_network()
    network[0].requires_grad_(False)
    before = network.state_dict()["0.weight"].clone()
    optimizer = build_optimizer(Optimizer(name="adam"), network, CPU)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4
    step(network, optimizer)
    assert torch.equal(network.state_dict()["0.weight"], before)


def test_sam_steps_with_the_gradient_at_the_worst_point_nearby() -> None:
    network, by_hand = small_network(), small_network()
    optimizer = build_optimizer(Optimizer(name="sam", lr=0.1, rho=0.05), network, CPU)
    step(network, optimizer)

    loss_of(by_hand).backward()  # type: ignore[no-untyped-call]  # torch's own
    parameters = list(by_hand.parameters())
    first = [p.grad.clone() for p in parameters if p.grad is not None]
    norm = torch.sqrt(sum((g**2).sum() for g in first))  # type: ignore[arg-type]  # of tensors
    perturbed = copy.deepcopy(by_hand)
    with torch.no_grad():
        for p, g in zip(perturbed.parameters(), first, strict=True):
            p.add_(0.05 * g / norm)
    perturbed.zero_grad()
    loss_of(perturbed).backward()  # type: ignore[no-untyped-call]  # torch's own
    for ours, start, moved in zip(network.parameters(), parameters, perturbed.parameters(), strict=True):
        assert moved.grad is not None
        assert torch.allclose(ours, start - 0.1 * moved.grad, atol=1e-6)


def test_sam_counts_statistics_once() -> None:
    sam, plain = small_network(), small_network()
    step(sam, build_optimizer(Optimizer(name="sam", lr=0.1), sam, CPU))
    step(plain, build_optimizer(Optimizer(name="sgd", lr=0.1), plain, CPU))
    for name, buffer in sam[1].named_buffers():
        assert torch.equal(buffer, dict(plain[1].named_buffers())[name]), name


def test_running_statistics_are_kept_while_asked() -> None:
    network = small_network()
    before = copy.deepcopy(dict(network[1].named_buffers()))
    with running_statistics_kept(network):
        network(INPUTS)
    with pytest.raises(InputError), running_statistics_kept(network):
        raise InputError("also where a step fails")
    assert all(torch.equal(buffer, before[name]) for name, buffer in network[1].named_buffers())
    network(INPUTS)
    assert not torch.equal(dict(network[1].named_buffers())["running_mean"], before["running_mean"])


def test_clipping_bounds_the_whole_gradient() -> None:
    network = small_network()
    before = [p.detach().clone() for p in network.parameters()]
    step(network, build_optimizer(Optimizer(name="sgd", lr=1.0), network, CPU), clip=0.01)
    moved = torch.sqrt(sum(((p.detach() - q) ** 2).sum() for p, q in zip(network.parameters(), before, strict=True)))  # type: ignore[arg-type]  # of tensors
    assert float(moved) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("name", ["sgd", "sam", "adamw", "muon"])
def test_a_loss_that_is_not_finite_moves_nothing(name: str) -> None:
    network = small_network()
    before = copy.deepcopy(network.state_dict())
    optimizer = build_optimizer(Optimizer(name=name), network, CPU)  # type: ignore[arg-type]  # a parameter
    loss = take_step(optimizer, network, lambda: torch.tensor(float("nan")))
    assert torch.isnan(loss)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_rate_reaches_every_group() -> None:
    optimizer = build_optimizer(Optimizer(name="sam", lr=0.1), small_network(), CPU)
    set_learning_rate(optimizer, 0.025)
    assert {group["lr"] for group in optimizer.param_groups} == {0.025}


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (5, 5)])
def test_orthogonalised_keeps_directions_and_levels_sizes(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    sizes = torch.linspace(1.0, 0.05, min(shape))
    result = left.T @ orthogonalised(left * sizes @ right) @ right.T
    assert torch.allclose(result, torch.diag(torch.diag(result)), atol=1e-5)
    assert 0.65 < torch.diag(result).min() < torch.diag(result).max() < 1.25


def test_muon_moves_inner_weights_by_a_share_of_their_norm_and_the_rest_by_adam() -> None:
    network, other = small_network(), small_network()
    settings = Optimizer(name="muon", lr=0.1, momentum=0.9, nesterov=True, rest_rate=0.3, betas=(0.8, 0.9))
    optimizer = build_optimizer(settings, network, CPU)
    adam = torch.optim.Adam([p for name, p in other.named_parameters() if name != "0.weight"], 0.03, betas=(0.8, 0.9))
    set_learning_rate(optimizer, 0.1)
    for _ in range(3):
        before = weight_of(network).detach().clone()
        step(network, optimizer)
        moved = (weight_of(network).detach() - before).norm() / before.norm()
        assert 0.05 < float(moved) < 0.13
        for one, two in zip(network.parameters(), other.parameters(), strict=True):
            two.grad = None if one.grad is None else one.grad.clone()
        adam.step()
    for (name, one), two in zip(network.named_parameters(), other.parameters(), strict=True):
        assert name == "0.weight" or torch.allclose(one, two, atol=1e-6), name


def test_muon_says_that_it_needs_a_head() -> None:
    network = build("cifar10-denoise", num_classes=0, width=4, layers=2)
    with pytest.raises(InputError, match=r"Muon needs a network with a head, .* Denoiser has none: choose another opt"):
        build_optimizer(Optimizer(name="muon"), network, CPU)


def test_muon_steps_do_not_depend_on_the_scale_of_weights_or_gradients() -> None:
    moved = []
    for weights, gradients in ((1.0, 1.0), (10.0, 1.0), (1.0, 10.0)):
        network = small_network()
        optimizer = build_optimizer(Optimizer(name="muon", lr=0.1, momentum=0.9), network, CPU)
        inner = weight_of(network)
        with torch.no_grad():
            inner.mul_(weights)
        before = inner.detach().clone()
        inner.grad = gradients * torch.arange(32.0).view(8, 4).sin()
        optimizer.step()
        moved.append((inner.detach() - before) / weights)
    assert torch.allclose(moved[0], moved[1], atol=1e-6)
    assert torch.allclose(moved[0], moved[2], atol=1e-4)


def test_muon_decays_in_proportion_to_the_rate() -> None:
    network = small_network()
    optimizer = build_optimizer(Optimizer(name="muon", lr=0.1, weight_decay=0.5), network, CPU)
    before = copy.deepcopy(network.state_dict())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(weight_of(network), before["0.weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(network.get_parameter("3.weight"), before["3.weight"])


def test_muon_leaves_to_adam_what_begins_at_zero() -> None:
    networks = []
    for _ in range(2):
        network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
        nn.init.zeros_(network.get_parameter("1.weight"))
        networks.append((network, build_optimizer(Optimizer(name="muon", lr=0.1, weight_decay=0.5), network, CPU)))
    (network, optimizer), (_, resumed) = networks
    before = copy.deepcopy(network.state_dict())
    for _ in range(3):  # in the first one nothing comes through to what is before it
        step(network, optimizer)
    for name, weights in network.named_parameters():
        assert not torch.equal(weights, before[name]), name
    # A training that goes on builds its optimizer over a new network, and reads the weights then.
    sizes = [[len(group["params"]) for group in each.param_groups] for each in (optimizer, resumed)]
    assert sizes == [[1, 5], [1, 5]]
    resumed.load_state_dict(optimizer.state_dict())
    moments = [set(state) for state in resumed.state.values()]
    assert moments.count({"momentum"}) == 1
    assert moments.count({"step", "mean", "square"}) == 5
