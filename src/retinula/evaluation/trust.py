"""What a trained model is given before it leaves: probabilities that can be believed, and a sense of what it knows.

Works on the pictures that were set apart while training. Knows nothing of files.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from retinula.evaluation.fitting import labels_for
from retinula.evaluation.temperature import TemperatureFit, fit_temperature
from retinula.familiarity import FEWEST, fit_familiarity
from retinula.images import ImageSet, copied, evenly_spread
from retinula.model_file import Model
from retinula.words import percent

TRAINING_PICTURES = 5000  # looked at to learn what pictures are like; more change the limits by less than chance does
VALIDATION_PICTURES = 20_000  # likewise to set the limits by: bounds memory


def made_trustworthy(
    model: Model, train_set: ImageSet, validation_set: ImageSet | None, *tell: Callable[[str], None]
) -> Model:
    """Fit the temperature and the limits of what is familiar on validation pictures; say what came out.

    Without validation pictures the temperature is 1 and the model cannot tell what is unfamiliar to it: nothing is
    fitted on the pictures that it learned by heart. What was fitted also stands in the provenance.

    Args:
        model: a classifier; another is given back as it is.
        train_set: that it was trained on.
        validation_set: that it was not trained on, or None.
        tell: each is called with every line that says what came out.
    """

    def say(line: str) -> None:
        for each in tell:
            each(line)

    if not model.classifies:
        return model
    if validation_set is None:
        fit = TemperatureFit(1.0, 0, reason="no validation pictures (validation=0)")
        say(_in_words(fit))
        return replace(model, provenance=model.provenance | {"calibration": asdict(fit)})
    logits = model.outputs(validation_set.images)
    fit = fit_temperature(logits, labels_for(model, validation_set))
    known = evenly_spread(len(train_set), TRAINING_PICTURES)
    new = evenly_spread(len(validation_set), VALIDATION_PICTURES)
    familiarity = fit_familiarity(
        torch.from_numpy(copied(train_set.images, known)),
        torch.from_numpy(copied(validation_set.images, new)),
        logits[torch.from_numpy(new)],
    )
    say(_in_words(fit))
    if familiarity is None:
        say(f"it cannot tell unfamiliar pictures: that needs at least {FEWEST} validation pictures")
    else:
        say(f"limits of what is familiar set so that {percent(familiarity.accepted)} of the validation pictures pass")
    provenance = model.provenance | {"calibration": asdict(fit)}
    return replace(model, temperature=fit.temperature, familiarity=familiarity, provenance=provenance)


def _in_words(fit: TemperatureFit) -> str:
    if fit.error_before is None or fit.error_after is None:
        return f"temperature 1, nothing fitted: {fit.reason}"
    bound = " (the fit ran away and was stopped there)" if fit.ran_away else ""
    return (
        f"temperature {fit.temperature:.3f}{bound}, fitted on {fit.num_images:,} validation pictures: "
        f"calibration error {percent(fit.error_before, 2)} before, {percent(fit.error_after, 2)} after"
    )
