"""Mixup and cutmix: what is mixed, in which shares, and that the targets follow."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retinula.transforms.mixing import mix_pairs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def own_colours(count: int, height: int = 6, width: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of one grey each, 0, 1, 2, ...; and as targets each a class of its own."""
    inputs = torch.arange(float(count)).view(-1, 1, 1, 1).expand(count, 3, height, width).contiguous()
    return inputs, torch.eye(count)


@given(seed=st.integers(0, 2**31), mixup=st.floats(0.05, 5), count=st.integers(1, 12))
def test_mixup_mixes_pictures_as_their_targets_say(seed: int, mixup: float, count: int) -> None:
    inputs, targets = own_colours(count)
    mixed, soft = mix_pairs(inputs, targets, mixup=mixup, cutmix=0, generator=generator(seed))
    assert torch.allclose(soft.sum(1), torch.ones(count), atol=1e-5)
    assert ((soft > 0).sum(1) <= 2).all()
    greys = soft @ torch.arange(float(count))
    assert torch.allclose(mixed, greys.view(-1, 1, 1, 1).expand_as(mixed), atol=1e-4)


@given(seed=st.integers(0, 2**31), cutmix=st.floats(0.05, 5), count=st.integers(1, 12))
def test_cutmix_puts_one_box_and_the_targets_are_its_area(seed: int, cutmix: float, count: int) -> None:
    inputs, targets = own_colours(count)
    mixed, soft = mix_pairs(inputs, targets, mixup=0, cutmix=cutmix, generator=generator(seed))
    for n in range(count):
        picture = mixed[n, 0]
        assert (mixed[n] == picture).all(), "the same box in every channel"
        foreign = picture != n
        assert abs(soft[n, n] - (1 - foreign.float().mean())) < 1e-6
        if foreign.any():
            others = torch.unique(picture[foreign])
            assert len(others) == 1
            assert abs(soft[n, int(others)] - foreign.float().mean()) < 1e-6
            rows, columns = foreign.any(1).nonzero()[:, 0], foreign.any(0).nonzero()[:, 0]
            assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "a box, without holes"


def test_with_both_a_coin_decides_for_each_picture() -> None:
    count = 400
    inputs, targets = own_colours(count)
    mixed, soft = mix_pairs(inputs, targets, mixup=1, cutmix=1, generator=generator())
    torch.testing.assert_close(mixed.mean((1, 2, 3)), soft @ torch.arange(float(count)), rtol=1e-4, atol=1e-3)
    own = torch.arange(float(count)).view(-1, 1, 1)
    uniform = (mixed[:, 0] == mixed[:, 0, :1, :1]).flatten(1).all(1)
    averaged = uniform & (mixed[:, 0, 0, 0] % 1 != 0)
    boxed = (mixed[:, 0] == own).flatten(1).any(1) & ~uniform
    assert 140 < averaged.sum() < 260
    assert 100 < boxed.sum() < 260
    assert not (averaged & boxed).any()


def test_shares_follow_the_beta_distribution() -> None:
    inputs, targets = torch.zeros(4000, 1, 1, 1), torch.eye(2).repeat(2000, 1)
    inputs[::2] = 1
    for alpha, deviation in ((1.0, 12**-0.5), (0.2, (4 * 1.4) ** -0.5)):
        mixed, _ = mix_pairs(inputs, targets, mixup=alpha, cutmix=0, generator=generator(1))
        # Of the pictures mixed with one of the other grey the grey is the share: mean 1/2, variance 1 / 4 (2 a + 1).
        shares = mixed[(mixed > 0) & (mixed < 1)]
        assert abs(shares.mean() - 0.5) < 0.05
        assert abs(shares.std() - deviation) < 0.03


@pytest.mark.parametrize("alpha", [1.0, 5.0])
def test_boxes_have_the_proportions_of_the_picture_and_lie_anywhere(alpha: float) -> None:
    inputs, _ = own_colours(1000, 80, 40)
    mixed, _ = mix_pairs(inputs[:, :1], torch.zeros(1000, 1), mixup=0, cutmix=alpha, generator=generator())
    boxes = (mixed != inputs[:, :1])[:, 0]
    rows, columns = boxes.any(2), boxes.any(1)
    inside = ~(rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1])
    assert rows[inside].sum() / columns[inside].sum() == pytest.approx(2, abs=0.1)
    # What is left of boxes around points of a unit square, where what lies past its border is cut off.
    chances = np.random.default_rng(1)
    half, middle = np.sqrt(chances.beta(alpha, alpha, 50_000)) / 2, chances.random((2, 50_000))
    areas = (np.minimum(middle + half, 1) - np.maximum(middle - half, 0)).prod(axis=0)
    shares = boxes.double().mean((1, 2))
    assert shares.mean() == pytest.approx(areas.mean(), abs=0.02)
    assert shares.std() == pytest.approx(areas.std(), abs=0.02)


def test_every_picture_has_a_share_of_its_own() -> None:
    inputs, targets = own_colours(50)
    _, soft = mix_pairs(inputs, targets, mixup=1, cutmix=0, generator=generator())
    assert len(torch.unique(soft.amax(1))) > 40


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.3, 0), (0, 1.0), (0.2, 1.0)])
def test_a_seed_fixes_everything_and_nothing_is_written_to(mixup: float, cutmix: float) -> None:
    inputs, targets = torch.rand(9, 3, 5, 5), torch.rand(9, 4)
    before = inputs.clone(), targets.clone()
    one = mix_pairs(inputs, targets, mixup=mixup, cutmix=cutmix, generator=generator(7))
    two = mix_pairs(inputs, targets, mixup=mixup, cutmix=cutmix, generator=generator(7))
    other = mix_pairs(inputs, targets, mixup=mixup, cutmix=cutmix, generator=generator(8))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])
    assert torch.equal(inputs, before[0])
    assert torch.equal(targets, before[1])
    assert one[0].dtype == one[1].dtype == torch.float32
    assert one[0].shape == inputs.shape
    assert one[1].shape == targets.shape


def test_without_mixing_all_is_as_it_was_and_no_chance_is_used() -> None:
    chances = generator()
    state = chances.get_state()
    inputs, targets = torch.rand(3, 1, 2, 2), torch.rand(3, 2)
    mixed, soft = mix_pairs(inputs, targets, mixup=0, cutmix=0, generator=chances)
    assert mixed is inputs
    assert soft is targets
    assert torch.equal(chances.get_state(), state)


def test_memory_order_is_kept() -> None:
    inputs = torch.rand(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    mixed, _ = mix_pairs(inputs, torch.eye(4), mixup=0.5, cutmix=0.5, generator=generator())
    assert mixed.is_contiguous(memory_format=torch.channels_last)
