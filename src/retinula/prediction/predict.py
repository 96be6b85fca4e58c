"""Asking a model about pictures, one or ten thousand.

Pictures are decoded in threads, go through the network in batches, and come out in the order they were named. Knows
nothing of labels.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from retinula.errors import InputError
from retinula.images import Images
from retinula.pictures.decoding import UnreadablePicture, decode_all
from retinula.prediction.references import Reference
from retinula.trained.answers import Answer, Classifier, judged, ranked


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture, every class with the likeliest first; or why it says nothing.

    Attributes:
        src: which picture.
        answers: class names and probabilities; empty where the picture was skipped.
        skipped: why it was skipped, or nothing.
        unfamiliar: whether it is unlike anything the model was trained on, so that the answers mean little; None
            where the model cannot tell.
    """

    src: str
    answers: tuple[Answer, ...] = ()
    skipped: str = ""
    unfamiliar: bool | None = None

    @property
    def best(self) -> Answer:
        """The likeliest class; of a skipped picture there is none."""
        return self.answers[0]


def predict_files(
    model: Classifier,
    references: Iterable[Reference],
    *,
    batch_size: int = 64,
    on_skip: Callable[[str, str], None] | None = None,
) -> Iterator[Prediction]:
    """Ask a model about pictures, all views of each; one that cannot be read is skipped, never fatal.

    Args:
        model: a classifier.
        references: what `references.find_pictures` gives.
        batch_size: views that go through the network together, and those that complete the last picture's.
        on_skip: called with the name of each skipped picture and the reason.

    Yields:
        A prediction for each reference, in order.
    """
    if batch_size < 1:
        raise InputError(f"a batch holds at least one picture, not {batch_size}")
    waiting: list[Prediction] = []
    images: list[Images] = []

    def answered() -> Iterator[Prediction]:
        rows = judged(model, images)
        for prediction in waiting:
            if prediction.skipped:
                yield prediction
            else:
                probabilities, unfamiliar = next(rows)
                yield Prediction(prediction.src, tuple(ranked(model.classes, probabilities)), unfamiliar=unfamiliar)
        waiting.clear()
        images.clear()

    for src, result in _small_pictures(model, references):
        if isinstance(result, str):
            waiting.append(Prediction(src, skipped=result))
            if on_skip:
                on_skip(src, result)
        else:
            waiting.append(Prediction(src))
            images.append(result)
        if sum(map(len, images)) >= batch_size or not images:
            yield from answered()
    yield from answered()


def _small_pictures(model: Classifier, references: Iterable[Reference]) -> Iterator[tuple[str, Images | str]]:
    """Give what is looked at of each picture, `[V, C, H, W]`, or why it is skipped, in order."""
    refused: dict[str, str] = {}

    def openable() -> Iterator[tuple[str, Path | bytes]]:
        for src, content, reason in references:
            if reason:
                refused[src] = reason
            # Refused ones go along, with nothing in them, so that everything stays in order.
            yield src, content

    for src, result in decode_all(openable(), model.look_at):
        if isinstance(result, UnreadablePicture):
            yield src, refused.get(src) or result.reason
        else:
            yield src, result
