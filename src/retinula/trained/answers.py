"""What a classifier says of pictures, and all that is asked of one: not how it computes.

Knows nothing of torch, so that a model can answer without it.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, nearest
from retinula.images import Images
from retinula.pictures.given import GivenPicture, opened

Probabilities = NDArray[np.float32]
Several = list[Any] | tuple[Any, ...] | Iterator[Any]  # pictures
OnError = Literal["raise", "skip"]
AT_ONCE: Final = 64  # views that a model is asked about together: bounds memory whatever the number of pictures


class Answer(NamedTuple):
    """One class and how likely it is, 0..1."""

    label: str
    probability: float


class Classifier(Protocol):
    """A trained model that knows classes, whatever computes it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""

    def shrink(self, picture: Image.Image) -> Images:
        """Bring a decoded picture to uint8 `[C, H, W]`, the form that the model takes."""

    def look_at(self, picture: Image.Image) -> Images:
        """Bring all that is looked at of a decoded picture to `[V, C, H, W]`; the first is what `shrink` gives."""

    def probs(self, images: Images) -> Probabilities:
        """Return float32 `[N, K]`, rows summing to 1, for pictures `[N, C, H, W]` that `shrink` gave."""


@runtime_checkable
class Judge(Classifier, Protocol):
    """A classifier that also knows what it does not know."""

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Return `probs`, and which pictures are unlike anything in its training, `[N]`; None where it cannot tell."""


def judged(model: Classifier, looked_at: Sequence[Images]) -> Iterator[tuple[Probabilities, bool | None]]:
    """Ask a model about pictures, all views of them in one batch.

    Args:
        model: the model.
        looked_at: of each picture what `look_at` gave.

    Yields:
        Of each picture its probabilities, float32 `[K]`, the mean over its views; and whether the first of these is
        unfamiliar, None where the model cannot tell.
    """
    if not looked_at:
        return
    together = np.concatenate(looked_at)
    probabilities, unfamiliar = model.judge(together) if isinstance(model, Judge) else (model.probs(together), None)
    first = 0
    for views in looked_at:
        last = first + len(views)
        yield probabilities[first:last].mean(axis=0), None if unfamiliar is None else bool(unfamiliar[first])
        first = last


def answers_to(model: Classifier, picture: Any, on_error: OnError = "raise") -> list[Answer] | list[list[Answer]]:
    """Say what is on a picture, as `ranked` does; or on each of several, which are a list, a tuple or a generator.

    Args:
        model: that is asked.
        picture: a `GivenPicture`, or `Several` of them.
        on_error: what to do about one of several that cannot be read: `skip` warns, and gives no answers to it.

    Raises:
        InputError: it is no single picture, or cannot be read; of several says which.
    """
    if on_error not in get_args(OnError):
        raise InputError(f"there is no on_error={on_error!r}{nearest(str(on_error), get_args(OnError))}")
    # An open file is one picture, though it can be gone through line by line.
    if isinstance(picture, list | tuple) or (isinstance(picture, Iterator) and not hasattr(picture, "read")):
        return _answered(model, picture, on_error)
    ((probabilities, _),) = judged(model, [model.look_at(opened(picture))])
    return ranked(model.classes, probabilities)


def _answered(model: Classifier, pictures: Iterable[GivenPicture], on_error: OnError) -> list[list[Answer]]:
    found: list[list[Answer]] = []
    waiting: dict[int, Images] = {}  # by their places

    def ask() -> None:
        for place, (probabilities, _) in zip(waiting, judged(model, [*waiting.values()]), strict=True):
            found[place] = ranked(model.classes, probabilities)
        waiting.clear()

    for place, picture in enumerate(pictures):
        found.append([])
        try:
            waiting[place] = model.look_at(opened(picture))
        except InputError as error:
            said = f"pictures[{place}]: {error}"
            if on_error == "raise":
                raise InputError(said) from error
            warnings.warn(f"skipped {said}", stacklevel=4)  # the line that called `predict`
        if sum(map(len, waiting.values())) >= AT_ONCE:
            ask()
    ask()
    return found


def ranked(classes: Sequence[str], probabilities: Probabilities) -> list[Answer]:
    """Name the probabilities (float `[K]`) of one picture, most likely first.

    >>> ranked(("cat", "owl"), np.array([0.25, 0.75], np.float32))
    [Answer(label='owl', probability=0.75), Answer(label='cat', probability=0.25)]
    """
    order = np.argsort(-probabilities, kind="stable")
    return [Answer(classes[index], float(probabilities[index])) for index in order.tolist()]
