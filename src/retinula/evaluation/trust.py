"""What a trained model is given before it leaves: probabilities that can be believed, and a sense of what it knows.

Works on the pictures that were set apart while training; without them on the training pictures, as far as that is
honest. Knows nothing of files.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retinula.evaluation.fitting import labels_for
from retinula.evaluation.recognised import Learned
from retinula.evaluation.temperature import TemperatureFit, fit_temperature
from retinula.images import Images, ImageSet, copied, drawn, evenly_spread
from retinula.pictures.equal import pixel_digest
from retinula.text.words import percent, plural
from retinula.trained.familiarity import AT_ONCE, FEWEST, Familiarity, fit_familiarity, picture_statistics
from retinula.trained.model_file import Model

TRAINING_PICTURES = 5000  # looked at to learn what pictures are like; more change the limits by less than chance does
VALIDATION_PICTURES = 20_000  # likewise to set the limits by


def made_trustworthy(
    model: Model,
    train_set: ImageSet,
    validation_set: ImageSet | None,
    learned: Learned,
    *tell: Callable[[str], None],
) -> Model:
    """Fit the temperature and the limits of what is familiar on validation pictures; say what came out.

    Those that the model is known to have learned all the same, as what it began from may have, count as none. Without
    validation pictures the temperature is 1, and the model's answers have no part in what is familiar: nothing
    is fitted on answers to pictures that it learned by heart. How pictures look is another matter, which no network
    has a part in: means and deviations come of some training pictures, the limit of others. What was fitted of the
    temperature also stands in the provenance.

    Args:
        model: a classifier; another is given back as it is.
        train_set: that it was trained on.
        validation_set: that it was not trained on here, or None.
        learned: what it has learned of them, here or before.
        tell: each is called with every line that says what came out.
    """

    def say(line: str) -> None:
        for each in tell:
            each(line)

    if not model.classifies:
        return model
    if validation_set is None:
        fit = TemperatureFit(1.0, 0, reason="no validation pictures (validation=0)")
        familiarity, limits = _by_look(train_set.images, "no validation pictures")
        say(_in_words(fit))
    else:
        by_heart = learned.by_heart(len(validation_set))
        others = validation_set.take(~by_heart) if by_heart.any() else validation_set
        logits = model.outputs(others.images) if len(others) else torch.empty(0, len(model.classes))
        fit, remark = fit_temperature(logits, labels_for(model, others)), _left_out(int(by_heart.sum()))
        if fit.reason:
            fit, remark = replace(fit, reason=f"{fit.reason}{remark}"), ""
        elif learned.at_least:
            remark += "; what it began from may have learned some of them, so its probabilities may be too sure"
        say(f"{_in_words(fit)}{remark}")
        familiarity, limits = _by_look_and_answers(train_set.images, others.images, logits, apart=bool(by_heart.any()))
    say(limits)
    provenance = model.provenance | {"calibration": asdict(fit)}
    return replace(model, temperature=fit.temperature, familiarity=familiarity, provenance=provenance)


def _by_look_and_answers(
    images: Images, validation: Images, logits: Tensor, *, apart: bool
) -> tuple[Familiarity | None, str]:
    """Return both limits, or that by the look where the validation pictures do not carry more; and words for it.

    Args:
        images: what was trained on.
        validation: those of the validation pictures that the model has not learned.
        logits: its answers to these.
        apart: whether there are others, which it has.
    """
    if min(len(images), len(validation)) < FEWEST:
        few = f"only {plural(len(validation), 'validation picture')}" if len(validation) else "no validation pictures"
        return _by_look(images, f"{few}{' that it has not learned' if apart else ''}")
    new = evenly_spread(len(validation), VALIDATION_PICTURES)
    known = _statistics(images, evenly_spread(len(images), TRAINING_PICTURES))
    familiarity = fit_familiarity(known, _statistics(validation, new), logits[torch.from_numpy(new)])
    if familiarity is None:
        return _by_look(images, "its answers to the validation pictures are not finite numbers")
    passed = percent(familiarity.accepted)
    return familiarity, f"threshold for unfamiliar pictures set: {passed} of the validation pictures count as familiar"


def _by_look(images: Images, reason: str) -> tuple[Familiarity | None, str]:
    """Return the limit by the look of training pictures alone, where they are enough; and words for it."""
    known, new = _halves(images)
    enough = len(known) >= FEWEST
    familiarity = fit_familiarity(_statistics(images, known), _statistics(images, new)) if enough else None
    if familiarity is None:
        needed = f"{FEWEST} training pictures, and {FEWEST} for validation or as many different ones more to train on"
        return None, f"it cannot tell unfamiliar pictures: that needs {needed}"
    passed = f"{percent(familiarity.accepted)} of {len(new):,} training pictures kept for it count as familiar"
    return familiarity, f"threshold for unfamiliar pictures set by the look of pictures alone ({reason}): {passed}"


def _halves(images: Images) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions of different pictures: of half of them, at random but always the same, and of the others.

    A copy of a picture, also mirrored, is passed over. On both sides it would make the limit too narrow: with 100
    pictures of CIFAR-10 on one and their mirrored copies on the other, 93 % of others pass instead of 97 %. Copies
    that were changed otherwise are not recognised; from a thousand on they make next to no difference.
    """
    chosen = evenly_spread(len(images), 2 * TRAINING_PICTURES)
    places = iter(chosen.tolist())
    first: dict[bytes, int] = {}
    for part in _parts(images, chosen):
        for picture in part:
            either = min(pixel_digest(picture), pixel_digest(picture[:, :, ::-1]))
            first.setdefault(either, next(places))
    different = np.array(list(first.values()), np.int64)
    known = drawn(len(different), len(different) // 2)
    return different[known], np.delete(different, known)


def _statistics(images: Images, chosen: NDArray[np.int64]) -> Tensor:
    """Return the statistics of some pictures: float64 `[n, 16]`."""
    return torch.cat([picture_statistics(torch.from_numpy(part)) for part in _parts(images, chosen)])


def _parts(images: Images, chosen: NDArray[np.int64]) -> Iterator[Images]:
    """Yield some pictures, few at a time, since all of them may be large."""
    for start in range(0, len(chosen), AT_ONCE):
        yield copied(images, chosen[start : start + AT_ONCE])


def _left_out(number: int) -> str:
    """Say how many validation pictures counted as none, the end of a line; nothing where all counted."""
    if not number:
        return ""
    return f"; {number:,} more {'was' if number == 1 else 'were'} learned, here or in what it began from, and left out"


def _in_words(fit: TemperatureFit) -> str:
    if fit.error_before is None or fit.error_after is None:
        return f"temperature 1, nothing fitted: {fit.reason}"
    bound = " (the fit ran away and was stopped there)" if fit.ran_away else ""
    return (
        f"temperature {fit.temperature:.3f}{bound}, fitted on {fit.num_images:,} validation pictures: "
        f"calibration error {percent(fit.error_before, 2)} before, {percent(fit.error_after, 2)} after"
    )
