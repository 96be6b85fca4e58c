"""A measurement, or a closer look, in plain words: lines for a terminal. Knows nothing of the terminal itself."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from retinula.evaluation.caution import caution, is_near_chance
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.findings import Inspection
from retinula.evaluation.intervals import interval_of_mean
from retinula.evaluation.label_errors import FOLDS, LabelErrors
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.robustness import Robustness
from retinula.metrics import Calibration
from retinula.text.words import first_few, listed, num_columns, percent, plural, sureness

MISTAKES = 5  # kinds of mistakes that are named
UNEQUAL = 1.2  # times as many pictures as those that occur have on average has the commonest of unequal classes
NEVER_NAMED = 5  # classes that are never answered
SUREST_NAMED = 3  # wrong answers that are named one by one, and findings of a closer look
LOOKS = {  # what a closer look measures, by the names that `inspection.look_closer` has for it
    "corruptions": "robustness against corruptions",
    "labels": "wrong labels",
    "duplicates": "near-duplicates",
    "embedding": "the map of pictures",
}
_LEFT_OUT = LOOKS | {"between": "near-duplicates between these and the training pictures"}
SCORED = ("class", "precision", "recall", "F1", "pictures")  # the columns of `score_rows`
AVERAGED_OVER = {"none": "", "mirror": "mirrored pictures", "mirror-shift": "mirrored and shifted pictures"}
CHANCE_MATTERS = 1 / 3  # of a calibration error: where chance alone gives more, it is said how much
BELIEVABLE = 0.02  # mean confidence and accuracy may differ by this before it is called over- or underconfident


class ScoreRow(NamedTuple):
    """Of a class, or of all, how well it is told: shares of 0..1, None of a class that does not occur."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    num_images: int


def text_report(evaluation: Evaluation) -> list[str]:
    """Say what was measured and what came out, one string a line."""
    lines = _results(evaluation)
    lines += ["", _speed(evaluation)]
    if evaluation.learned.from_these:
        lines.append("These are the pictures that it learned from: expect less on new ones.")
    elif evaluation.learned.number:
        lines.append(_learned(evaluation))
    if evaluation.unverified_copy:
        lines.append("The pictures come from an unverified copy: its hash is not the official one.")
    return lines


def score_rows(measured: Mapping[str, Any]) -> list[ScoreRow]:
    """Return the scores of every class of a classifier, and their means, the last two rows.

    Args:
        measured: what `ClassificationResult.to_dict` gives, as the report of a run keeps it.
    """
    named = [(name, scores, scores["support"]) for name, scores in measured["per_class"].items()]
    for title, key in (("mean of the classes", "macro_average"), ("mean of the pictures", "weighted_average")):
        named.append((title, measured[key], measured["num_images"]))
    return [
        ScoreRow(name, scores["precision"], scores["recall"], scores["f1"], number) for name, scores, number in named
    ]


def inspection_text(found: Inspection, result: ClassificationResult) -> list[str]:
    """Say what a closer look has found, one string a line; of labels and pairs the first are named with their files.

    Args:
        found: among the pictures of `result`.
        result: how the model does on them, and so how far what is found by its answers can be believed.
    """
    by_chance = is_near_chance(result)
    lines = [f"{_LEFT_OUT[name].capitalize()} left out: {why}." for name, why in found.impossible.items()]
    lines += [caution(result)] if by_chance and (found.robustness or found.label_errors) else []
    if found.robustness is not None:
        lines.append(_spoilt(found.robustness, names_worst=not by_chance))
    if found.label_errors is not None:
        lines += _wrong_labels(found.label_errors)
        lines += [caution(result)] if found.label_errors.errors and not by_chance else []
    for name, pairs in (found.duplicates or {}).items():
        lines += _near_duplicates(name, pairs)
    return lines


def _spoilt(found: Robustness, *, names_worst: bool) -> str:
    worst, *_ = found.kinds(worst_first=True)
    of = "" if found.num_images == found.num_available else f" drawn from {found.num_available:,}"
    looks = "single looks" if found.tta == "none" else f"averaged ({found.tta})"
    low, high = found.interval or (None, None)
    between = "" if low is None or high is None else f" (95 % interval {100 * low:.1f} to {percent(high)})"
    return (
        f"Spoilt pictures ({len(found.accuracy)} corruptions, 5 strengths, {found.num_images:,}{of}; {looks}): "
        f"{percent(found.mean)} right on average{between}, {percent(found.clean)} unspoilt"
        f"{f'; {worst} costs most' if names_worst else ''}."
    )


def _wrong_labels(found: LabelErrors) -> list[str]:
    rare = [rare_labels(found.num_rare)] if found.num_rare else []
    return [
        " ".join([f"Labels likely wrong: {len(found.errors):,} of {found.num_images:,} ({found.method}).", *rare]),
        *(
            f"  {picture_named(each.index, each.source)}: called {each.label}, likely {each.suggestion} "
            f"({sureness(each.probability)})"
            for each in found.errors[:SUREST_NAMED]
        ),
    ]


def rare_labels(number: int) -> str:
    """Say of how many labels, at least one, nobody can tell whether they are wrong.

    >>> rare_labels(1)
    '1 more label was not looked at, because fewer than 5 pictures have it.'
    """
    was, it = ("was", "it") if number == 1 else ("were", "each")
    return f"{plural(number, 'more label')} {was} not looked at, because fewer than {FOLDS} pictures have {it}."


def _near_duplicates(name: str, pairs: Sequence[NearDuplicate]) -> list[str]:
    exact = sum(pair.exact for pair in pairs)
    within = name.startswith("within")
    pictures = {place for pair in pairs for place in ((pair.index, pair.other) if within else (pair.index,))}
    if not pairs:
        return [f"Near-duplicates {name}: none."]
    return [
        f"Near-duplicates {name}: {plural(len(pictures), 'picture')}{'' if within else ' of the first'} in "
        f"{plural(len(pairs), 'pair')}, {exact:,} of them equal in every pixel.",
        *(
            f"  {picture_named(pair.index, pair.source)} and {picture_named(pair.other, pair.other_source)}: "
            f"{'equal' if pair.exact else f'agree by {pair.correlation:.3f}'}"
            for pair in pairs[:SUREST_NAMED]
        ),
    ]


def _learned(evaluation: Evaluation) -> str:
    """Say how many pictures are no test of anything but memory."""
    number = evaluation.learned.number or 0
    others = evaluation.accuracy_of_others if isinstance(evaluation, ClassificationResult) else None
    right = "" if others is None else f"; right for {percent(others)} of the others"
    equal = f"{'is' if number == 1 else 'are'} equal, pixel by pixel, to pictures it learned from"
    least = "At least " if evaluation.learned.at_least else ""
    return f"{least}{number:,} of the {evaluation.num_images:,} {equal}{right}."


def _results(evaluation: Evaluation) -> list[str]:
    match evaluation:
        case ClassificationResult():
            return _classification(evaluation)
        case ReconstructionResult():
            return _reconstruction(evaluation)
        case _:
            raise TypeError(f"no words for a {type(evaluation).__name__}")


def _classification(result: ClassificationResult) -> list[str]:
    low, high = result.accuracy_interval
    lines = [
        f"{_where(result)}: accuracy {100 * result.accuracy:.2f} % "
        f"({result.num_correct:,} of {result.num_images:,} right; 95 % interval {100 * low:.1f} to {percent(high)})"
    ]
    if result.conditions:
        lines.append(
            f"They are {result.num_images // len(result.conditions):,} pictures under {len(result.conditions)} "
            "conditions each; the interval is about the pictures, and holds for these conditions."
        )
    if result.plain_accuracy is not None:
        lines.append(
            f"These are averaged answers ({result.tta}); a single look at each picture is right for "
            f"{100 * result.plain_accuracy:.2f} %."
        )
    if result.without_pictures:
        lines.append(
            f"No pictures of {len(result.without_pictures):,} of the {len(result.classes):,} classes: "
            f"{first_few(result.without_pictures)}. Those answered all the same count as 0 in the mean of the classes."
        )
    if result.top5 is not None:
        lines.append(f"Top-5 accuracy {percent(result.top5)}: the right class is among the five likeliest.")
    if result.superclass_accuracy is not None:
        lines.append(f"The superclass is right for {percent(result.superclass_accuracy)}.")
    lines.append(f"Loss {result.loss:.4f}; a blind guess has {math.log(len(result.classes)):.4f}.")
    lines.append(_belief(result.calibration))
    if result.temperature != 1:
        lines.append(
            f"Its logits are divided by the temperature {result.temperature:.3f}, fitted on validation pictures; "
            f"without that the calibration error would be {percent(result.uncalibrated_error)}."
        )
    lines += _conditions(result.condition_accuracy)
    lines += _unequal_classes(result)
    names, support = result.classes, result.scores.support.tolist()
    mistakes = result.mistakes()[:MISTAKES]
    if mistakes:
        lines.append("Most often mistaken:")
        lines += [
            f"  {names[true]} taken for {names[named]}: {count:,} of {support[true]:,}"
            for true, named, count in mistakes
        ]
        lines.append("Most confident mistakes:")
        lines += [
            f"  {picture_named(each.index, each.source)}: {each.label} taken for {each.answer}, "
            f"{sureness(each.probability)} sure"
            for each in result.surest_mistakes(SUREST_NAMED)
        ]
    return [*lines, "", *_table(result)]


def _unequal_classes(result: ClassificationResult) -> list[str]:
    """Say what a blind guess gets right where classes are unequal, and name the classes that are never answered."""
    pictures, answers = result.confusion.sum(dim=1), result.confusion.sum(dim=0)
    commonest = int(pictures.argmax())
    if result.chance * int((pictures > 0).sum()) < UNEQUAL:
        return []
    lines = [f"Always naming {result.classes[commonest]} would be right for {percent(result.chance)}."]
    never = [result.classes[number] for number in ((pictures > 0) & (answers == 0)).nonzero()[:, 0].tolist()]
    if never:
        more = [f"{len(never) - NEVER_NAMED:,} more"] if len(never) > NEVER_NAMED else []
        lines.append(
            f"It never answers {listed([*never[:NEVER_NAMED], *more])}: where others have more pictures to train on, "
            "objective.class_weights=balanced makes each class count the same."
        )
    return lines


def picture_named(index: int, source: str | None) -> str:
    """Return what a line calls a picture: its number in the set and, where that is known, its file.

    >>> picture_named(1200, "cats/7.png"), picture_named(3, None)
    ('picture 1,200 (cats/7.png)', 'picture 3')
    """
    return f"picture {index:,}" + ("" if source is None else f" ({source})")


def _reconstruction(result: ReconstructionResult) -> list[str]:
    lines = [
        f"{_where(result)}: {result.num_images:,} pictures reconstructed",
        f"Loss (binary cross entropy) {result.loss:.4f}; a perfect copy has {result.loss_floor:.4f}, "
        f"so {result.loss - result.loss_floor:.4f} could still be gained.",
        f"Mean squared error {result.mse:.5f}, PSNR {result.psnr:.2f} dB, SSIM {result.ssim:.4f} (a perfect copy: 1).",
    ]
    if result.linear_psnr is not None:
        lines.append(
            f"Kept as {result.code_numbers:,} numbers a picture; the best linear code of as many has a PSNR of "
            f"{result.linear_psnr:.2f} dB ({result.psnr - result.linear_psnr:+.2f} dB)."
        )
    if result.denoising:
        number = result.denoising[0].num_images
        lines.append(f"Noise added to {number:,} pictures, and what is left of it (PSNR, SSIM):")
    lines += [
        f"  deviation {each.noise:.2f}: {each.psnr_noised:.2f} dB, {each.ssim_noised:.4f} with the noise; "
        f"{each.psnr:.2f} dB, {each.ssim:.4f} after the network ({each.psnr - each.psnr_noised:+.2f} dB)"
        for each in result.denoising
    ]
    return lines


def verdict(calibration: Calibration) -> str:
    """Say in words whether the answers are as sure as they are right, no more than so many pictures can tell."""
    surplus = calibration.confidence - calibration.accuracy
    if abs(surplus) > max(BELIEVABLE, _by_chance(calibration)):
        return "it is surer than it should be" if surplus > 0 else "it could be surer than it is"
    if not is_few(calibration):
        return "its probabilities can be believed on the whole"
    number = sum(row.count for row in calibration.bins)
    return f"as far as {plural(number, 'picture')} can tell, its probabilities can be believed"


def _by_chance(calibration: Calibration) -> float:
    """Return by how much, 0..1, the accuracy on so many pictures differs from how sure answers are by chance alone.

    Half of the interval around how sure they are: not nothing where few answers are all quite sure. An answer that is
    right with probability p has the variance p (1 - p), so that sure and unsure ones together vary less than as many
    that are all as sure as their mean; within a bin they hardly differ.
    """
    number = sum(row.count for row in calibration.bins)
    sure = [(row.count, row.confidence) for row in calibration.bins if row.confidence is not None]
    variance = sum(count * p * (1 - p) for count, p in sure) / number
    low, high = interval_of_mean(calibration.confidence, variance, number)
    return (high - low) / 2


def is_few(calibration: Calibration) -> bool:
    """Tell whether the pictures are too few to say that sureness and accuracy agree on the whole."""
    return _by_chance(calibration) > BELIEVABLE


def error_by_chance(calibration: Calibration) -> str:
    """Say what chance alone makes of a calibration error, as the end of a clause; nothing where that is little.

    >>> from retinula.metrics import CalibrationBin
    >>> error_by_chance(Calibration(0.1, 0.9, 1.0, (CalibrationBin(0.8, 1.0, 1, 0.9, 1.0),)))
    '; chance alone would give a perfectly calibrated model about 18.0 % on as many pictures'
    """
    by_chance = calibration.error_by_chance
    if by_chance <= CHANCE_MATTERS * calibration.error:
        return ""
    return f"; chance alone would give a perfectly calibrated model about {percent(by_chance)} on as many pictures"


def _belief(calibration: Calibration) -> str:
    return (
        f"On average it is {percent(calibration.confidence)} sure and right for {percent(calibration.accuracy)}: "
        f"{verdict(calibration)} (calibration error "
        f"{percent(calibration.error)}{error_by_chance(calibration)})."
    )


def _table(result: ClassificationResult) -> list[str]:
    """Return scikit-learn's report: a line a class, and the averages."""
    rows: list[tuple[str, ...]] = [SCORED]
    for row in score_rows(result.to_dict()):
        scores = ("-" if value is None else f"{value:.3f}" for value in row[1:4])
        rows.append((row.name, *scores, f"{row.num_images:,}"))
    width = max(num_columns(row[0]) for row in rows)
    table = [row[0] + " " * (width - num_columns(row[0])) + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows]
    return [
        *table,
        "precision: of all pictures given this answer, the share that really belong to the class",
        "recall: of the class's pictures, the share that is found; F1: the harmonic mean of both",
    ]


def _conditions(accuracy: dict[str, float]) -> list[str]:
    """Return the accuracy under each condition, strengths side by side: the accuracy over all is their mean."""
    kinds: dict[str, list[float]] = {}
    for condition, share in accuracy.items():
        kinds.setdefault(condition.partition("/")[0], []).append(share)
    if not kinds:
        return []
    head = "right, in %, at strength"
    width = max(map(len, (head, *kinds)))
    strengths = "".join(f"{strength:>7}" for strength in range(1, max(map(len, kinds.values())) + 1))
    return [
        "",
        f"{head:{width}}{strengths}{'mean':>7}",
        *(
            f"{kind:{width}}{''.join(f'{100 * share:7.1f}' for share in shares)}{100 * sum(shares) / len(shares):7.1f}"
            for kind, shares in kinds.items()
        ),
        "",
    ]


def _where(evaluation: Evaluation) -> str:
    return f"{evaluation.dataset}, {evaluation.split} pictures"


def _speed(evaluation: Evaluation) -> str:
    averaging = "" if evaluation.tta == "none" else f", averaged ({evaluation.tta})"
    return f"{evaluation.seconds:.1f} s, {evaluation.images_per_second:,.0f} pictures a second{averaging}"
