import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from retinula.forms import Sampling
from retinula.transforms.batches import BatchPlan, generator_for, seed_for


@given(num_images=st.integers(1, 60), batch_size=st.integers(1, 20), drop_last=st.booleans(), seed=st.integers(0, 9))
def test_an_epoch_shows_every_picture_once(num_images: int, batch_size: int, drop_last: bool, seed: int) -> None:
    plan = BatchPlan(num_images, batch_size, seed, drop_last)
    batches = list(plan.batches(0, 2 * plan.steps_per_epoch))
    assert [batch.step for batch in batches] == list(range(len(batches)))
    assert all(len(batch.indices) for batch in batches)
    for epoch in (0, 1):
        shown = torch.cat([batch.indices for batch in batches if batch.epoch == epoch]).tolist()
        assert len(shown) == len(set(shown))
        left_out = num_images - len(shown)
        assert left_out in ({0} | ({num_images % batch_size} if drop_last else set()) | {num_images % batch_size == 1})


def test_going_on_in_the_middle_gives_the_same_batches() -> None:
    samplings: tuple[Sampling, ...] = ("epoch", "fixed", "replacement")
    for sampling in samplings:
        plan = BatchPlan(50, 8, seed=3, sampling=sampling)
        whole = list(plan.batches(0, 30))
        different = {tuple(batch.indices.tolist()) for batch in whole}
        assert len(different) == (plan.steps_per_epoch if sampling == "fixed" else 30)
        for first in (1, 6, 7, 13, 29):
            again = list(plan.batches(first, 30))
            assert len(again) == 30 - first
            for one, other in zip(whole[first:], again, strict=True):
                assert one[:2] == other[:2]
                assert torch.equal(one.indices, other.indices)


@pytest.mark.parametrize("sampling", ["epoch", "replacement"])
def test_orders_differ_between_epochs_and_seeds(sampling: Sampling) -> None:
    plans = [BatchPlan(100, 10, seed, sampling=sampling) for seed in (0, 1)]
    orders = [
        torch.cat([batch.indices for batch in plan.batches(epoch * 10, epoch * 10 + 10)]).tolist()
        for plan in plans
        for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_fixed_repeats_the_first_epoch() -> None:
    plan, mixed = BatchPlan(30, 10, 1, sampling="fixed"), BatchPlan(30, 10, 1)
    epochs = [[batch.indices.tolist() for batch in plan.batches(3 * epoch, 3 * epoch + 3)] for epoch in range(3)]
    assert epochs[0] == epochs[1] == epochs[2]
    assert epochs[0] == [batch.indices.tolist() for batch in mixed.batches(0, 3)]


def test_replacement_draws_from_all() -> None:
    plan = BatchPlan(10, 100, seed=0, sampling="replacement")
    (batch,) = plan.batches(0, 1)
    assert len(batch.indices) == 100
    assert set(batch.indices.tolist()) == set(range(10))


def test_seeds_do_not_repeat() -> None:
    seeds = {seed_for(seed, purpose, number) for seed in range(5) for purpose in ("a", "b") for number in range(100)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    one, other = (torch.rand(3, generator=generator_for(1, "a", 2)) for _ in range(2))
    assert torch.equal(one, other)


def test_seeds_are_the_same_in_every_version() -> None:
    """Or a run that is gone on with, or repeated, would be another one."""
    assert seed_for(0, "order", 0) == 4766407420785225227
