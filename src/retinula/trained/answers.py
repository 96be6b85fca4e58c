"""What a classifier says of pictures, and all that is asked of one: not how it computes.

Knows nothing of torch, so that a model can answer without it.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, cast, get_args, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinula.errors import InputError, nearest
from retinula.images import Images
from retinula.pictures.form import Form
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

    @property
    def form(self) -> Form:
        """The form of the pictures that it takes."""

    def look_at(self, picture: Image.Image) -> Images:
        """Bring all that is looked at of a decoded picture to uint8 `[V, C, H, W]`, the whole first."""

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Answer about pictures `[N, C, H, W]` in its form.

        Returns:
            Probabilities float32 `[N, K]`, rows summing to 1; and which pictures are unlike anything in its training,
            `[N]`, None where it cannot tell.
        """


class Answering:
    """What every `Classifier` does alike."""

    def shrink(self: Classifier, picture: Image.Image) -> Images:
        """Bring a decoded picture to uint8 `[C, H, W]`, the form that the model takes."""
        return self.form.shrink(picture)

    def look_at(self: Classifier, picture: Image.Image) -> Images:
        """Bring all views of a decoded picture to uint8 `[V, C, H, W]`, the whole first."""
        return self.form.look_at(picture)

    @overload
    def predict(self: Classifier, picture: GivenPicture) -> list[Answer]: ...

    @overload
    def predict(self: Classifier, picture: Several, *, on_error: OnError = "raise") -> list[list[Answer]]: ...

    def predict(
        self: Classifier, picture: GivenPicture | Several, *, on_error: OnError = "raise"
    ) -> list[Answer] | list[list[Answer]]:
        """Say what is on a picture: every class with its probability, the mean over its views, most likely first.

        Args:
            picture: of any size, as `pictures.given.opened` takes it: a file, open or not, its bytes, a Pillow image,
                an array or a tensor. Or a list, tuple or generator of such: of each what it gives alone, but for
                rounding.
            on_error: `skip` gives no answers to those of several that cannot be read, and warns of each.

        Raises:
            InputError: it is no picture, or cannot be read; of several says which.
        """
        if on_error not in get_args(OnError):
            raise InputError(f"there is no on_error={on_error!r}{nearest(str(on_error), get_args(OnError))}")
        # An open file is one picture, though it can be gone through line by line.
        if isinstance(picture, list | tuple) or (isinstance(picture, Iterator) and not hasattr(picture, "read")):
            return _answered(self, picture, on_error)
        ((probabilities, _),) = judged(self, [self.look_at(opened(cast("GivenPicture", picture)))])
        return ranked(self.classes, probabilities)


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
    probabilities, unfamiliar = model.judge(together)
    first = 0
    for views in looked_at:
        last = first + len(views)
        yield probabilities[first:last].mean(axis=0), None if unfamiliar is None else bool(unfamiliar[first])
        first = last


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
            warnings.warn(f"skipped {said}", stacklevel=3)  # the line that called `predict`
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
