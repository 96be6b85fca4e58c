"""Published beside measured: a row a claim, with a verdict, as text, as Markdown and as plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from retinula.forms import Averaging
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Claim, Metric
from retinula.reproduction.finished import Finished
from retinula.reproduction.measures import AVERAGED_STEPS, NOISE, Measured, measure, result_metrics

Verdict = Literal["yes", "no, better", "no, worse", "no, below", "no, above", "not measured", "only shown", "so far"]
_AIM = "this project"  # begins the source of a recipe whose figures are aims that nobody published


class _Form(NamedTuple):
    """How a measure is written: its name, and its values times a scale, with so many places and a unit."""

    words: str
    scale: float = 1.0
    places: int = 4
    unit: str = ""


_FORMS: dict[Metric, _Form] = {
    "accuracy": _Form("test accuracy", 100, 2, " %"),
    "plain_accuracy": _Form("test accuracy by a single look", 100, 2, " %"),
    "train_accuracy": _Form("accuracy on the training pictures", 100, 2, " %"),
    "photos_accuracy": _Form("accuracy on photos", 100, 2, " %"),
    "loss": _Form("test loss"),
    "psnr": _Form("PSNR on the test pictures", 1, 2, " dB"),
    "psnr_gain": _Form("PSNR gained at noise 0.1", 1, 2, " dB"),
    "psnr_over_linear": _Form("PSNR above a linear code of as many numbers", 1, 2, " dB"),
    "step_loss": _Form("training loss"),
    "lowest_step_loss": _Form("smallest loss of one batch"),
    "val_loss": _Form("best validation loss"),
    "epoch_val_loss": _Form("validation loss"),
    "epochs": _Form("epochs until it stopped", 1, 0),
    "seconds": _Form("training time", 1, 0, " s"),
    "step_seconds": _Form("time of a step, median", 1000, 1, " ms"),
}


_MORE_IS_BETTER: frozenset[Metric] = frozenset(
    ("accuracy", "plain_accuracy", "train_accuracy", "photos_accuracy", "psnr", "psnr_gain", "psnr_over_linear")
)
_AVERAGED: frozenset[Metric] = frozenset(("accuracy", "train_accuracy", "loss"))  # as the recipe says
_LOOKS: dict[Averaging, str] = {"none": "", "mirror": ", mean of two looks", "mirror-shift": ", mean of six looks"}
_NEITHER: frozenset[Metric] = frozenset(("epochs",))  # of all others less is better: losses and times
_ROUNDING = 1e-9  # as fractions of two, 0.7566 lies farther than 0.015 from 0.7416


@dataclass(frozen=True)
class Row:
    """One figure: what was published and what was measured of it.

    Attributes:
        figure: what it is, in words.
        published: the figure of the work, with its unit, and how far a measurement may lie from it and still bear it
            out; `-` where it has none.
        measured: mean, deviation and unit; `-` where there is nothing.
        verdict: whether the measurement bears the claim out.
        fault: what is wrong with the figure in the work, or nothing.
        mean: of the measured values, None without any.
        deviation: of the measured values, None of fewer than two.
        values: measured, by seed.
    """

    figure: str
    published: str
    measured: str
    verdict: Verdict
    fault: str
    mean: float | None
    deviation: float | None
    values: tuple[float, ...]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The columns of `head_for`."""
        return self.figure, self.published, self.measured, self.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)


def head_for(recipe: Recipe) -> tuple[str, str, str, str]:
    """Return what the columns of a recipe's table are called."""
    told = "aim" if recipe.source.startswith(_AIM) else "published"
    around = any(claim.tolerance is not None and not claim.at_least for claim in recipe.claims)
    return "figure", f"{told} ± tolerance" if around else told, "measured", "holds?"


def make_rows(recipe: Recipe, runs: Sequence[Finished]) -> list[Row]:
    """Return a row for each claim of a recipe, measured over its finished runs.

    Where one of them was ended early, what is claimed of the whole training is shown as it was then, and not judged.
    """
    tta = recipe.evaluation.tta
    ended = any(each.ended_early for each in runs)
    return [
        claim_row(
            claim,
            measure(runs, claim.metric, claim.at),
            figure_words(claim, tta),
            so_far=ended and claim.at is None,
        )
        for claim in recipe.claims
    ]


def claim_row(claim: Claim, measured: Measured | None, figure: str, *, so_far: bool = False) -> Row:
    """Return the row of a claim that is about this figure; `so_far` if it was measured before the training's end."""
    verdict = judge(claim, measured)
    early = so_far and verdict not in ("not measured", "only shown")
    return _row(figure, claim.metric, measured, "so far" if early else verdict, claim)


def shown_row(figure: str, metric: Metric, measured: Measured, claim: Claim | None = None) -> Row:
    """Return a row for what no claim is about: it is only shown, beside the claim that comes nearest to it."""
    return _row(figure, metric, measured, "only shown", claim)


def first_measured(runs: Sequence[Finished], *metrics: Metric) -> str:
    """Write mean and deviation of the first of some measures that finished runs have; `-` where they have none."""
    found = ((metric, measure(runs, metric)) for metric in metrics)
    return next((spread(metric, measured) for metric, measured in found if measured is not None), "-")


def headline(runs: Sequence[Finished]) -> str:
    """Write what finished runs of a recipe measured on test pictures, in short; `-` where they have nothing."""
    metrics = result_metrics(runs[0].recipe)
    told = first_measured(runs, *metrics)
    gained = told != "-" and metrics == ("psnr_gain",)
    return f"{told} gained at noise {NOISE}" if gained else told


def judge(claim: Claim, measured: Measured | None) -> Verdict:
    """Tell whether a measurement bears a claim out: its mean lies no farther from it than the tolerance.

    Where it does not, a measure that knows better and worse says which of them it is; a claim of at least so much, and
    a measure that knows neither, on which side.
    """
    if measured is None:
        return "not measured"
    if claim.tolerance is None:
        return "only shown"
    difference = measured.mean - claim.value
    if abs(difference) <= claim.tolerance + _ROUNDING or (claim.at_least and difference > 0):
        return "yes"
    if claim.at_least or claim.metric in _NEITHER:
        return "no, above" if difference > 0 else "no, below"
    return "no, better" if (difference > 0) == (claim.metric in _MORE_IS_BETTER) else "no, worse"


def markdown(rows: Sequence[Row], head: tuple[str, str, str, str]) -> list[str]:
    """Lay rows out as a table in Markdown under a head, the faults numbered below it."""
    faults = list(dict.fromkeys(row.fault for row in rows if row.fault))
    lines = [markdown_line(head), markdown_line(("---",) * len(head))]
    for row in rows:
        mark = f" [{faults.index(row.fault) + 1}]" if row.fault else ""
        lines.append(markdown_line((row.figure + mark, *row.cells[1:])))
    if faults:
        lines.append("")
    return [*lines, *(f"{number}. {fault}" for number, fault in enumerate(faults, start=1))]


def figure_words(claim: Claim, tta: Averaging = "none") -> str:
    """Return what a claim is about, in words, where answers are averaged so."""
    words = metric_words(claim.metric, tta)
    if claim.at is None:
        return words
    if claim.metric == "epoch_val_loss":
        return f"{words} after epoch {claim.at}"
    return f"{words} at step {claim.at:,} (mean of {min(AVERAGED_STEPS, claim.at)})"


def metric_words(metric: Metric, tta: Averaging = "none") -> str:
    """Return what a measure is called where answers are averaged so.

    >>> metric_words("accuracy"), metric_words("accuracy", "mirror-shift"), metric_words("epochs", "mirror-shift")
    ('test accuracy', 'test accuracy, mean of six looks', 'epochs until it stopped')
    """
    return _FORMS[metric].words + (_LOOKS[tta] if metric in _AVERAGED else "")


def spread(metric: Metric, measured: Measured, more_places: int = 0) -> str:
    """Write mean, deviation and number of runs of a measure, with its unit.

    >>> spread("accuracy", Measured((0.74, 0.76)))
    '75.00 ± 1.41 % (n = 2)'
    """
    form = _FORMS[metric]
    form = form._replace(places=form.places + more_places)
    middle = f"{form.scale * measured.mean:.{form.places}f}"
    if measured.deviation is not None:
        middle += f" ± {form.scale * measured.deviation:.{form.places}f}"
    return f"{middle}{form.unit} (n = {len(measured.values)})"


def _row(figure: str, metric: Metric, measured: Measured | None, verdict: Verdict, claim: Claim | None) -> Row:
    places = _places_to_tell_apart(claim, measured) if claim is not None and verdict.startswith("no,") else 0
    return Row(
        figure=figure,
        published="-" if claim is None else _claimed(metric, claim, judged=verdict != "only shown"),
        measured="-" if measured is None else spread(metric, measured, places),
        verdict=verdict,
        fault="" if claim is None else claim.fault,
        mean=None if measured is None else measured.mean,
        deviation=None if measured is None else measured.deviation,
        values=() if measured is None else measured.values,
    )


def _claimed(metric: Metric, claim: Claim, *, judged: bool) -> str:
    """Write what a claim says, and where it is judged how far from it would still bear it out."""
    told, form = _shown(metric, claim.value), _FORMS[metric]
    tolerance = f"{form.scale * (claim.tolerance or 0.0):.{form.places}f}"
    if claim.at_least:
        return f"at least {told}" + (f", less {tolerance}" if judged and claim.tolerance else "")
    return (
        f"{told.removesuffix(form.unit)} ± {tolerance}{form.unit}" if judged and claim.tolerance is not None else told
    )


def _places_to_tell_apart(claim: Claim, measured: Measured | None) -> int:
    """Return how many places more a mean needs so as not to read like a value that would have held."""
    if measured is None or claim.tolerance is None:
        return 0
    side = 1 if measured.mean > claim.value else -1
    last = claim.value + side * claim.tolerance  # that holds
    return next(
        places
        for places in range(10)
        if _shown(claim.metric, measured.mean, places) != _shown(claim.metric, last, places)
    )


def _shown(metric: Metric, value: float, more_places: int = 0) -> str:
    form = _FORMS[metric]
    return f"{form.scale * value:.{form.places + more_places}f}{form.unit}"


def markdown_line(cells: Sequence[str]) -> str:
    """Write a row of a table in Markdown; a bar in a cell is escaped, so that it ends no column."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
