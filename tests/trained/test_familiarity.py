"""What counts as familiar: pictures like the training's pass, and noise, flat areas and text do not."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from familiarity_checks import TOLD, unlike_photos
from retinula.datasets import shapes
from retinula.trained.familiarity import Familiarity, fit_familiarity, picture_statistics


def drawn(split: str, number: int) -> torch.Tensor:
    chunks = shapes.read(num_train=2400, num_test=600).splits[split]()  # type: ignore[index]  # a name of a split
    return torch.from_numpy(np.concatenate([chunk.images for chunk in chunks])[:number])


@pytest.fixture(scope="module")
def sets() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    train = drawn("train", 2400)
    return train[:1400], train[1400:], drawn("test", 600)


@pytest.fixture(scope="module", params=["both limits", "look alone"])
def fitted(request: pytest.FixtureRequest, sets: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Familiarity:
    train, others, _ = sets
    logits = sure(len(others)) if request.param == "both limits" else None
    familiarity = fit_familiarity(picture_statistics(train), picture_statistics(others), logits)
    assert familiarity is not None
    return familiarity


def sure(number: int) -> torch.Tensor:
    return torch.randn(number, 8, generator=torch.Generator().manual_seed(1)) + 9


def test_new_pictures_of_the_same_kind_pass(fitted: Familiarity, sets) -> None:  # type: ignore[no-untyped-def]  # above
    assert 0.98 <= fitted.accepted <= 1
    test = sets[2]
    assert fitted.unfamiliar(test, sure(len(test))).double().mean() <= 0.03


def test_noise_flat_areas_and_text_do_not(fitted: Familiarity) -> None:
    for kind, pictures in unlike_photos(100).items():
        assert fitted.unfamiliar(pictures, sure(100)).double().mean() >= TOLD[kind], kind


def test_logits_without_a_favourite_are_unfamiliar_where_their_limit_is_known(fitted: Familiarity, sets) -> None:  # type: ignore[no-untyped-def]  # above
    unfamiliar = fitted.unfamiliar(sets[2], torch.zeros(len(sets[2]), 8))
    if fitted.least_energy is None:
        assert torch.equal(unfamiliar, fitted.distances(sets[2]) > fitted.farthest)
    else:
        assert unfamiliar.all()


def test_a_single_limit_refuses_as_much_as_two(sets) -> None:  # type: ignore[no-untyped-def]  # above
    known, new = map(picture_statistics, sets[:2])
    alone, both = fit_familiarity(known, new), fit_familiarity(known, new, sure(len(new)))
    assert alone is not None
    assert both is not None
    assert alone.accepted == pytest.approx(0.99)
    assert both.accepted == pytest.approx(0.99, abs=0.003)
    assert alone.farthest < both.farthest


def test_comes_back_from_its_dictionary(fitted: Familiarity) -> None:
    values = fitted.to_dict()
    assert Familiarity.from_dict(values) == fitted
    for key, value in (("means", [0.0]), ("whitening", []), ("farthest", float("nan")), ("accepted", "much")):
        with pytest.raises(ValueError):  # noqa: PT011 - a model file names itself, whatever is wrong in it
            Familiarity.from_dict({**values, key: value})
    with pytest.raises(ValueError, match="finite"):
        replace(fitted, least_energy=float("-inf"))


def test_too_few_pictures_tell_nothing(sets) -> None:  # type: ignore[no-untyped-def]  # above
    known, new = map(picture_statistics, sets[:2])
    assert fit_familiarity(known, new[:99]) is None
    assert fit_familiarity(known[:99], new) is None
    assert fit_familiarity(known, new, torch.full((1000, 8), torch.nan)) is None


def test_distances_are_in_deviations_in_every_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    known, mixed = (torch.randn(number, 16, generator=generator, dtype=torch.float64) for number in (500, 16))
    known = known @ mixed
    familiarity = fit_familiarity(known, known[:200])
    assert familiarity is not None
    whitening = torch.tensor(familiarity.whitening, dtype=torch.float64)
    torch.testing.assert_close(torch.linalg.inv(whitening @ whitening.T), torch.cov(known.T), rtol=0.01, atol=0.01)


def test_statistics_are_the_same_in_every_version() -> None:
    """Or the limits in every model file would be of something else."""
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(50), indexing="ij")
    grey = torch.where(columns < 20, rows // 2 + columns // 4, (rows * rows // 3 + columns * columns * rows) % 199)
    picture = torch.stack([grey + 56, grey // 2 + 30, grey])
    picture[:, :3] = 255
    wanted = [
        *(0.3755353, 0.1388216, -0.0643157),
        *(-3.9343325, -4.4756138, -3.9987157, -4.4693065, -4.0964303),
        *(-7.2150253, -7.7307757, -7.4854654, -7.8633442, -7.3118997),
        *(2.1077521, 0.4340153, 1.6624138),
    ]
    assert picture_statistics(picture[None].byte())[0].tolist() == pytest.approx(wanted, abs=1e-6)


def test_statistics_of_a_flat_picture_by_hand() -> None:
    values = picture_statistics(torch.full((1, 3, 16, 16), 51, dtype=torch.uint8))[0].tolist()
    assert values == pytest.approx([0.2, 0, 0, *[-2 * math.log(255)] * 10, 0, 1, 0])


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 7, 5), (1, 1, 1), (3, 1, 9), (1, 64, 48)])
def test_pictures_of_any_size_have_statistics(shape: tuple[int, int, int]) -> None:
    pictures = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    values = picture_statistics(pictures)
    assert values.shape == (5, 16)
    assert values.isfinite().all()
    assert torch.equal(values[:2], picture_statistics(pictures[:2]))
