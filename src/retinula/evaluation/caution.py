"""How far what a closer look finds can be believed: it finds by a model's answers, and those of a bad one say little.

The same words for the terminal, the page and figures.
"""

from dataclasses import dataclass
from typing import Protocol

from retinula.evaluation.intervals import wilson_interval
from retinula.text.words import percent, plural

HARDLY = 0.1  # of the way from the best blind guess to all right: not gone so far, answers say nothing


class HowRight(Protocol):
    """How often a model is right, and a blind guess: what a `ClassificationResult` tells, among other things."""

    @property
    def num_images(self) -> int:
        """How many pictures it was asked about."""

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0..1."""

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Between which shares it lies on all such pictures, with 95 % confidence."""

    @property
    def chance(self) -> float:
        """What the best blind guess gets right, 0..1."""


@dataclass(frozen=True)
class CountedAnswers:
    """The same of answers that nobody has measured otherwise.

    Attributes:
        num_images: how many pictures, at least one.
        num_correct: how many answers are right.
        num_commonest: how many pictures the commonest class has.
    """

    num_images: int
    num_correct: int
    num_commonest: int

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0..1."""
        return self.num_correct / self.num_images

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Between which shares it lies on all such pictures, with 95 % confidence."""
        return wilson_interval(self.num_correct, self.num_images)

    @property
    def chance(self) -> float:
        """What the best blind guess gets right, 0..1."""
        return self.num_commonest / self.num_images


def is_near_chance(result: HowRight) -> bool:
    """Tell whether a model, as far as so many pictures can say, is too seldom right for its answers to say anything."""
    low, _ = result.accuracy_interval
    return low < _enough(result)


def is_too_few(result: HowRight) -> bool:
    """Tell whether a model is near chance only as far as so few pictures can say: its own accuracy is not."""
    return is_near_chance(result) and result.accuracy > _enough(result)


def caution(result: HowRight) -> str:
    """Say how far to believe what was found among the pictures that a model was measured on."""
    if is_near_chance(result):
        low, high = result.accuracy_interval
        right, guess = f"With {percent(result.accuracy)} of {plural(result.num_images, 'picture')}", result.chance
        if is_too_few(result):
            return (
                f"{right} right (a blind guess: {percent(guess)}) it may be hardly better than guesses: "
                "these are too few to tell whether what is found by its answers means anything."
            )
        if low <= guess <= high:
            return (
                f"{right} right it can hardly be told from a blind guess ({percent(guess)}): "
                "what is found by its answers means nothing."
            )
        return (
            f"{right} right (a blind guess: {percent(guess)}) it is right too seldom: "
            "what is found by its answers is mostly its own mistakes."
        )
    return "Look before you believe it: rare kinds are among them, and a weak model doubts much that is right."


def _enough(result: HowRight) -> float:
    return result.chance + HARDLY * (1 - result.chance)
