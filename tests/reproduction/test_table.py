from typing import get_args

import pytest

from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Claim, Metric
from retinula.reproduction import table
from retinula.reproduction.measures import Measured
from retinula.reproduction.table import (
    Row,
    claim_row,
    figure_words,
    first_measured,
    head_for,
    judge,
    make_rows,
    markdown,
    shown_row,
    spread,
)

CLAIM = Claim(metric="accuracy", value=0.7416, tolerance=0.015)
LOSS = Claim(metric="loss", value=0.585, tolerance=0.01)
PLAIN = Claim(metric="plain_accuracy", value=0.5)


@pytest.mark.parametrize(
    ("claim", "value", "verdict"),
    [
        (CLAIM, 0.75, "yes"),
        (CLAIM, 0.70, "no, worse"),
        (CLAIM, 0.7716, "no, better"),
        (LOSS, 0.57, "no, better"),
        (LOSS, 0.60, "no, worse"),
        (LOSS.model_copy(update={"metric": "epochs"}), 0.57, "no, below"),
        (LOSS.model_copy(update={"metric": "epochs"}), 0.60, "no, above"),
        (CLAIM.model_copy(update={"at_least": True}), 0.9, "yes"),
        (CLAIM.model_copy(update={"at_least": True}), 0.70, "no, below"),
        (CLAIM.model_copy(update={"tolerance": None}), 0.1, "only shown"),
    ],
)
def test_a_claim_holds_within_its_tolerance(claim: Claim, value: float, verdict: str) -> None:
    assert judge(claim, Measured((value,))) == verdict


@pytest.mark.parametrize("tolerance", [0.005, 0.01, 0.015, 0.02])
def test_the_edge_of_a_tolerance_belongs_to_it(tolerance: float) -> None:
    for value in range(5000, 9000):
        claim = Claim(metric="accuracy", value=value / 10_000, tolerance=tolerance)
        for edge in (value + tolerance * 10_000, value - tolerance * 10_000):
            assert judge(claim, Measured((round(edge) / 10_000,))) == "yes"


def test_a_mean_that_rounds_to_what_would_hold_is_written_more_exactly() -> None:
    least = Claim(metric="accuracy", value=0.94, tolerance=0.0, at_least=True)
    assert claim_row(least, Measured((0.9400, 0.9400, 0.9400)), "right").verdict == "yes"
    row = claim_row(least, Measured((0.9400, 0.9398, 0.9401)), "right")
    assert row.cells[1:] == ("at least 94.00 %", "93.997 ± 0.015 % (n = 3)", "no, below")
    assert claim_row(CLAIM, Measured((0.756604,)), "right").cells[2:] == ("75.6604 % (n = 1)", "no, better")


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (CLAIM, "74.16 ± 1.50 %"),
        (Claim(metric="loss", value=0.576, tolerance=0.003), "0.5760 ± 0.0030"),
        (Claim(metric="accuracy", value=0.8, tolerance=0.01, at_least=True), "at least 80.00 %, less 1.00"),
        (Claim(metric="accuracy", value=0.94, tolerance=0.0, at_least=True), "at least 94.00 %"),
        (Claim(metric="seconds", value=179), "179 s"),
    ],
)
def test_what_is_tolerated_stands_beside_what_is_claimed(claim: Claim, told: str) -> None:
    row = claim_row(claim, Measured((0.5,)), "figure")
    assert row.published == told
    assert shown_row("figure", claim.metric, Measured((0.5,)), claim).published == told.replace(" ± 1.50", "").replace(
        " ± 0.0030", ""
    ).removesuffix(", less 1.00"), "of what is only shown nothing is tolerated"
    head = head_for(Recipe(name="a", claims=(claim,)))
    assert head[1] == ("published ± tolerance" if "±" in told else "published")


def test_an_average_over_looks_is_called_one() -> None:
    recipe = load_recipe("digits", ["tta=mirror"]).model_copy(update={"claims": (CLAIM, LOSS, PLAIN)})
    assert [row.figure for row in make_rows(recipe, [])] == [
        "test accuracy, mean of two looks",
        "test loss, mean of two looks",
        "test accuracy by a single look",
    ]


def test_of_every_measure_more_is_better_or_less_is_or_neither() -> None:
    more = [metric for metric in get_args(Metric) if judge(measured_by(metric), Measured((0.9,))) == "no, better"]
    less = [metric for metric in get_args(Metric) if judge(measured_by(metric), Measured((0.1,))) == "no, better"]
    shares = ["accuracy", "plain_accuracy", "train_accuracy", "photos_accuracy"]
    assert more == [*shares, "psnr", "psnr_gain", "psnr_over_linear"]
    assert less == ["loss", "step_loss", "lowest_step_loss", "val_loss", "epoch_val_loss", "seconds", "step_seconds"]
    assert set(get_args(Metric)) - {*more, *less} == {"epochs"}


def measured_by(metric: Metric) -> Claim:
    return Claim(metric=metric, value=0.5, tolerance=0.1, at=1 if metric in ("step_loss", "epoch_val_loss") else None)


def test_nothing_measured_bears_nothing_out() -> None:
    assert judge(CLAIM, None) == "not measured"
    (row,) = make_rows(Recipe(name="a", claims=(CLAIM,)), [])
    assert row.cells == ("test accuracy", "74.16 ± 1.50 %", "-", "not measured")


def test_figures_are_written_with_their_units() -> None:
    assert spread("accuracy", Measured((0.74, 0.76))) == "75.00 ± 1.41 % (n = 2)"
    assert spread("loss", Measured((0.5,))) == "0.5000 (n = 1)"
    assert spread("step_seconds", Measured((0.0339,))) == "33.9 ms (n = 1)"
    assert spread("psnr_gain", Measured((4.0, 5.0))) == "4.50 ± 0.71 dB (n = 2)"
    at = Claim(metric="step_loss", value=0.592, tolerance=0.003, at=2500)
    assert figure_words(at) == "training loss at step 2,500 (mean of 100)"
    then = Claim(metric="epoch_val_loss", value=2.39349, tolerance=0.1, at=10)
    assert figure_words(then) == "validation loss after epoch 10"


def test_the_first_measure_that_there_is_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"psnr": Measured((30.0, 31.0)), "seconds": Measured((60.0,))}
    monkeypatch.setattr(table, "measure", lambda _, metric: known.get(metric))
    assert first_measured([], "accuracy", "psnr", "seconds") == "30.50 ± 0.71 dB (n = 2)"
    assert first_measured([], "accuracy") == "-"


def test_the_step_belongs_to_the_loss_of_a_step() -> None:
    for values in ({"metric": "accuracy", "at": 3}, {"metric": "step_loss"}, {"metric": "epoch_val_loss"}):
        with pytest.raises(ValueError, match="at is the step of a step_loss"):
            Claim.model_validate({"value": 0.5, **values})


@pytest.mark.parametrize(("source", "called"), [("Lab work 1", "published"), ("this project, after Lab work 1", "aim")])
def test_what_nobody_has_published_is_called_an_aim(source: str, called: str) -> None:
    assert head_for(Recipe(name="a", source=source)) == ("figure", called, "measured", "holds?")


def test_markdown_numbers_the_faults_and_escapes_bars() -> None:
    one = Row("a | b", "1", "2", "yes", "one batch's", 2.0, None, (2.0,))
    same = Row("c", "1", "2", "yes", "one batch's", 2.0, None, (2.0,))
    rows = [one, same, Row("d", "1", "-", "not measured", "", None, None, ())]
    lines = markdown(rows, ("figure", "published", "measured", "holds?"))
    assert lines[0] == "| figure | published | measured | holds? |"
    assert lines[2:] == [
        r"| a \| b [1] | 1 | 2 | yes |",
        "| c [1] | 1 | 2 | yes |",
        "| d | 1 | - | not measured |",
        "",
        "1. one batch's",
    ]
