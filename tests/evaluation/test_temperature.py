"""The temperature, on answers whose right one is known by construction."""

import math

import pytest
import torch

from retinula.evaluation.temperature import HIGHEST, LOWEST, fit_temperature


def honest(number: int, classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose softmax is the true chance of each class, and labels drawn by it."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(number, classes, generator=generator)
    return logits, torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_undoes_what_made_answers_too_sure_or_not_sure_enough(factor: float) -> None:
    logits, labels = honest(20_000)
    fit = fit_temperature(factor * logits, labels)
    assert fit.temperature == pytest.approx(factor, rel=0.03)
    assert fit.error_before is not None
    assert fit.error_after is not None
    assert fit.error_after < 0.015
    if factor != 1:
        assert fit.error_before > 5 * fit.error_after
    again = fit_temperature(factor * logits, labels)
    assert fit == again


def test_stays_within_bounds_whatever_the_answers() -> None:
    labels = torch.arange(100) % 4
    right = torch.nn.functional.one_hot(labels, 4).float()
    always = fit_temperature(5 * right, labels)
    sure = 1 - 0.75 / 102  # right every time: as sure as the softened targets, not without end
    assert always.temperature == pytest.approx(5 / math.log(3 * sure / (1 - sure)), rel=1e-6)
    assert (5 * right / always.temperature).softmax(dim=1).max() < 0.9999
    wrong = fit_temperature(50 * right, (labels + 1) % 4)
    assert wrong.temperature == pytest.approx(HIGHEST, rel=1e-6)
    assert wrong.ran_away
    assert not always.ran_away
    weak = fit_temperature(0.01 * right, labels)
    assert weak.temperature == pytest.approx(LOWEST, rel=1e-6)
    assert weak.ran_away


@pytest.mark.parametrize(
    ("logits", "reason"),
    [
        (torch.zeros(49, 3), "49 validation pictures are too few"),
        (torch.zeros(60, 1), "only one class"),
        (torch.full((60, 3), torch.nan), "not finite"),
        (torch.full((60, 3), 7.0), "no other temperature makes its answers better"),
    ],
)
def test_says_why_nothing_is_fitted(logits: torch.Tensor, reason: str) -> None:
    fit = fit_temperature(logits, torch.zeros(len(logits), dtype=torch.int64))
    assert fit.temperature == 1
    assert reason in fit.reason
    assert fit.error_before is None


def test_fifty_pictures_are_enough() -> None:
    fit = fit_temperature(*honest(50))
    assert (fit.num_images, fit.reason) == (50, "")
