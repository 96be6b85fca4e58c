"""The figures of a training say what its logs say."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figure_checks import assert_repeats, assert_whole, words
from retinula.plots.epochs import learning_curves, loss_band
from retinula.plots.training import draw_training, loss_of_steps, time_of_steps


def steps(losses: list[float], seconds: list[float] | None = None) -> list[dict[str, float]]:
    seconds = seconds or [0.1] * len(losses)
    return [
        {"step": float(number), "epoch": 1.0, "loss": loss, "learning_rate": 0.001, "seconds": second}
        for number, (loss, second) in enumerate(zip(losses, seconds, strict=True), 1)
    ]


def epochs(**columns: list[float | None]) -> list[dict[str, Any]]:
    number = len(next(iter(columns.values())))
    empty: dict[str, Any] = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"))
    return [
        {**empty, "epoch": index + 1, "step": 390 * (index + 1)}
        | {key: values[index] for key, values in columns.items()}
        for index in range(number)
    ]


METRICS = epochs(
    loss=[2.0, 1.0, 0.5], accuracy=[0.3, 0.6, 0.9], val_loss=[1.5, 1.0, 1.2], val_accuracy=[0.4, 0.7, 0.65]
)


def line(axes: Axes, label: str) -> tuple[Any, Any]:
    found = next(each for each in axes.lines if each.get_label() == label)
    return np.asarray(found.get_xdata()).tolist(), np.asarray(found.get_ydata()).tolist()


def labels(figure: Figure) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def test_few_steps_are_all_drawn_and_the_smallest_is_marked() -> None:
    figure = loss_of_steps(steps([2.3, 1.5, 0.9, 1.1]))
    assert words(figure).startswith("The loss fell from 2.30 to 1.10 in 4 steps")
    assert "The smallest loss of a single batch, 0.900, came at step 3." in words(figure)
    (axes,) = figure.axes
    assert line(axes, "each step") == ([1, 2, 3, 4], [2.3, 1.5, 0.9, 1.1])
    assert line(axes, "smallest of one batch") == ([3], [0.9])
    assert labels(figure) == [("step", "training loss")]
    assert_whole(figure)


def test_the_running_mean_is_of_neighbouring_steps() -> None:
    losses = [float(value % 2) + 1 for value in range(300)]
    (axes,) = loss_of_steps(steps(losses)).axes
    places, mean = line(axes, "running mean")
    assert places == list(range(1, 301))
    assert mean[0] == 1.0  # the first value itself: a falling curve begins where the loss did
    assert mean[100] == pytest.approx(np.mean(losses[97:104]))
    assert mean[299] == pytest.approx(np.mean(losses[296:300]))


def test_many_steps_are_drawn_as_the_band_that_they_fill() -> None:
    losses = [2 + math.sin(step) for step in range(5000)]
    losses[3210] = 9.0
    losses[4321] = 0.5
    figure = loss_of_steps(steps(losses))
    (axes,) = figure.axes
    (band,) = axes.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert len(corners) < 2000
    assert corners[:, 1].max() == 9.0
    assert corners[:, 1].min() == 0.5
    assert len(line(axes, "running mean")[0]) == 600


def test_each_range_of_steps_has_its_panel() -> None:
    figure = loss_of_steps(steps([5.0 - step / 100 for step in range(400)]), ranges=[(1, 50), (50, 400), (900, 1000)])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["steps 1 to 50", "steps 50 to 400"]
    assert line(figure.axes[0], "each step")[0] == list(range(1, 51))
    assert line(figure.axes[1], "each step")[0] == list(range(50, 401))
    assert_whole(figure)
    (whole,) = loss_of_steps(steps([1.0, 0.5]), ranges=[(900, 1000)]).axes
    assert line(whole, "each step")[0] == [1, 2]


def test_a_loss_that_is_not_finite_leaves_a_gap() -> None:
    figure = loss_of_steps(steps([2.0, 1.0, math.nan, math.inf]))
    assert words(figure).startswith("The loss fell from 2.00 to 1.00 in 4 steps")
    figure.canvas.draw()
    with pytest.raises(ValueError, match="no step with a finite loss"):
        loss_of_steps(steps([math.nan]))


def test_a_rising_loss_is_said_to_rise_and_a_steep_one_is_drawn_on_a_logarithmic_axis() -> None:
    assert "The loss rose from 0.100 to 4.00" in words(loss_of_steps(steps([0.1, 4.0])))
    assert "The loss stayed at 0.693 in 2 steps" in words(loss_of_steps(steps([0.69315, 0.69312])))
    steep = loss_of_steps(steps([400.0, 2.0, 1.0, 0.5, 0.4]))
    assert steep.axes[0].get_yscale() == "log"
    assert loss_of_steps(steps([2.3, 1.0, 0.1])).axes[0].get_yscale() == "linear"
    assert_whole(steep)


def test_very_small_and_very_large_losses_can_be_read() -> None:
    assert "fell from 1,234 to 0.00123 in 2" in words(loss_of_steps(steps([1234.4, 0.001234])))
    assert "fell from 2.50e+07 to 0.000 in 2" in words(loss_of_steps(steps([2.5e7, 0.0])))
    assert "rose from 3.00e-06 to 12.3 in 2" in words(loss_of_steps(steps([3e-6, 12.34])))


def test_step_times_with_and_without_the_slow_ones() -> None:
    figure = time_of_steps(steps([1.0] * 5, [0.9, 0.03, 0.04, 0.05, 0.04]))
    assert words(figure).startswith("A step takes 40.0 ms; 1 s for all 5")
    assert "1 step took more than twice as long: 84.9 % of all time." in words(figure)
    every, quick = figure.axes
    assert line(every, "each step") == ([1, 2, 3, 4, 5], pytest.approx([900, 30, 40, 50, 40]))
    assert line(quick, "each step") == ([2, 3, 4, 5], pytest.approx([30, 40, 50, 40]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["all steps", "without the slow ones"]
    assert labels(figure) == [("step", "time of a step (ms)")] * 2
    assert_whole(figure)


def test_step_times_of_which_none_is_slow_are_shown_once() -> None:
    figure = time_of_steps(steps([1.0] * 5, [0.04] * 5))
    assert "none took more than twice as long" in words(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["all steps"]
    assert_whole(figure)


def test_long_steps_are_shown_in_seconds_over_ranges() -> None:
    figure = time_of_steps(steps([1.0] * 6, [2.0] * 5 + [9.0]), ranges=[(1, 3), (3, 6)])
    assert words(figure).startswith("A step takes 2.00 s; 19 s for all 6")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "all steps, steps 1 to 3",
        "without the slow ones, steps 1 to 3",
        "all steps, steps 3 to 6",
        "without the slow ones, steps 3 to 6",
    ]
    assert figure.axes[3].get_ylabel() == "time of a step (s)"
    assert_whole(figure)


@pytest.mark.parametrize(("against", "places"), [("epoch", [1, 2, 3]), ("step", [390, 780, 1170])])
def test_curves_show_the_logs(against: Any, places: list[float]) -> None:
    figure = learning_curves(METRICS, against=against)
    best = {"epoch": "epoch 2", "step": "step 780"}[against]
    assert words(figure).startswith(f"Validation accuracy is highest, 70.0 %, after {best}; 65.0 % at the end")
    assert words(figure).endswith("In training it was 60.0 % over that epoch.")
    loss, accuracy = figure.axes
    assert line(loss, "training") == (places, [2.0, 1.0, 0.5])
    assert line(loss, "validation") == (places, [1.5, 1.0, 1.2])
    assert line(loss, "lowest") == ([places[1]], [1.0])
    assert line(accuracy, "training") == (places, pytest.approx([30, 60, 90]))
    assert line(accuracy, "validation") == (places, pytest.approx([40, 70, 65]))
    assert line(accuracy, "highest") == ([places[1]], pytest.approx([70]))
    assert labels(figure) == [(against, "loss"), (against, "accuracy (%)")]
    assert_whole(figure)


def test_losses_that_are_not_one_measure_are_called_so() -> None:
    figure = learning_curves(METRICS, only_in_training="label smoothing 0.1")
    assert words(figure).endswith(
        "In training it was 60.0 % over that epoch. The training loss alone counts label smoothing 0.1, which mostly "
        "makes it higher: it cannot be compared with the validation loss."
    )
    loss, accuracy = figure.axes
    assert line(loss, "training, with label smoothing 0.1")[1] == [2.0, 1.0, 0.5]
    assert line(accuracy, "training")[1] == pytest.approx([30, 60, 90]), "accuracies are one measure"
    assert_whole(figure)
    alone = words(learning_curves(epochs(loss=[2.0, 1.0]), only_in_training="mixed pictures"))
    assert "compared" not in alone, "there is nothing beside it"


def test_the_highest_accuracy_is_of_the_epoch_that_is_kept() -> None:
    figure = learning_curves(
        epochs(val_loss=[None, 0.3, 0.2, 0.4], val_accuracy=[0.9, 0.9, 0.9, 0.8], accuracy=[0.1, 0.2, 0.3, 0.4])
    )
    assert words(figure).startswith("Validation accuracy is highest, 90.0 %, after epoch 3; 80.0 % at the end")
    assert words(figure).endswith("In training it was 30.0 % over that epoch.")
    assert line(figure.axes[1], "highest")[0] == [3]


def test_curves_are_told_apart_without_colour() -> None:
    for axes in learning_curves(METRICS).axes:
        styles = [(each.get_linestyle(), each.get_marker()) for each in axes.lines]
        assert len(set(styles)) == len(styles) == 3


def test_a_test_set_that_was_watched_is_called_so() -> None:
    figure = learning_curves(METRICS, held_out="test")
    assert words(figure).startswith("Test accuracy is highest")
    assert line(figure.axes[0], "test")[1] == [1.5, 1.0, 1.2]


def test_without_validation_the_figure_says_so() -> None:
    figure = learning_curves(epochs(loss=[2.0, 1.0], accuracy=[0.3, 0.6]))
    assert words(figure).startswith("Training accuracy is highest, 60.0 %, after epoch 2")
    assert "No validation pictures were set apart" in words(figure)
    assert len(figure.axes[0].lines) == 1


@pytest.mark.parametrize("share", [0.0, 0.999, 1.0])
def test_no_axis_of_accuracy_goes_beyond_all_and_nothing(share: float) -> None:
    figure = learning_curves(epochs(loss=[2.0, 1.0], accuracy=[share, share], val_accuracy=[share, share]))
    low, high = figure.axes[1].get_ylim()
    assert 0 <= low < high <= 100
    assert low <= 100 * share <= high
    assert not any(drawn.get_clip_on() for drawn in figure.axes[1].lines), "nothing on the edge is cut"
    assert_whole(figure)


def test_a_reconstruction_has_no_accuracy_panel() -> None:
    figure = learning_curves(epochs(loss=[0.6, 0.58], val_loss=[0.59, 0.58]))
    assert words(figure).startswith("Validation loss is lowest, 0.580, after epoch 2")
    assert labels(figure) == [("epoch", "loss")]


def test_one_epoch_is_a_point_with_one_tick() -> None:
    figure = learning_curves(METRICS[:1])
    assert words(figure).startswith("Validation accuracy is 40.0 % after epoch 1")
    assert figure.axes[0].get_xticks().tolist() == [1]
    assert_whole(figure)


def test_epochs_without_any_number() -> None:
    assert words(learning_curves(epochs(loss=[math.nan, math.nan]))).startswith(
        "Nothing finite was measured in 2 epochs"
    )
    with pytest.raises(ValueError, match="no loss or accuracy"):
        learning_curves(epochs(loss=[None]))


def several(*losses: list[float]) -> list[dict[str, float]]:
    """Return the rows of epochs with these losses."""
    return [{**row, "epoch": float(epoch)} for epoch, own in enumerate(losses, 1) for row in steps(own)]


def test_half_of_the_batches_of_an_epoch_lie_in_the_band() -> None:
    rows = several([5.0, 1.0, 2.0, 3.0, 4.0], [1.0, 1.5, 2.0, 2.5, 3.0, math.nan], [0.1, 0.1])
    metrics: list[dict[str, Any]] = [
        {"epoch": 1, "val_loss": 2.0},
        {"epoch": 2, "val_loss": 2.75},
        {"epoch": 3, "val_loss": None},
    ]
    figure = loss_band(rows, metrics)
    assert words(figure) == (
        "The median loss of a batch fell from 3.00 to 2.00 in 2 epochs "
        "In the last epoch half of the batches lie between 1.50 and 2.50. "
        "The validation loss is 2.75, above that band."
    )
    (axes,) = figure.axes
    assert line(axes, "median batch") == ([1, 2], [3, 2])
    assert line(axes, "validation") == ([1, 2], [2, 2.75])
    (band,) = axes.collections
    corners = {tuple(corner) for path in band.get_paths() for corner in np.asarray(path.vertices).tolist()}
    assert corners == {(1, 2), (1, 4), (2, 1.5), (2, 2.5)}
    assert labels(figure) == [("epoch", "loss")]
    assert axes.get_legend() is not None
    assert_whole(figure)


@pytest.mark.parametrize(("value", "where"), [(1.5, "below"), (2.0, "inside"), (9.0, "above")])
def test_the_held_out_loss_is_compared_with_the_band(value: float, where: str) -> None:
    rows = several([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0])
    shown = words(loss_band(rows, [{"epoch": 2, "val_loss": value}], held_out="test"))
    assert shown.startswith("The median loss of a batch rose from 1.00 to 2.50 in 2 epochs")
    assert f"The test loss is {value:.2f}, {where} that band." in shown


def test_a_held_out_loss_of_another_measure_is_not_compared_with_the_band() -> None:
    rows = several([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    figure = loss_band(rows, [{"epoch": 2, "val_loss": 0.297}], only_in_training="class weights")
    assert words(figure) == (
        "The median loss of a batch stayed at 1.00 in 2 epochs "
        "In the last epoch half of the batches lie between 1.00 and 1.00. The validation loss is 0.297. "
        "The training loss alone counts class weights, which mostly makes it higher: it cannot be compared with the "
        "validation loss."
    )
    assert line(figure.axes[0], "median batch in training, with class weights")[1] == [1, 1]
    assert_whole(figure)


def test_accuracies_stand_beside_the_band_without_one() -> None:
    rows = several([1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0])
    metrics: list[dict[str, Any]] = [
        {"epoch": 1, "accuracy": 0.25, "val_accuracy": None},
        {"epoch": 2, "accuracy": 0.5, "val_accuracy": 0.75},
    ]
    figure = loss_band(rows, metrics, held_out="test")
    assert words(figure).endswith(" Of accuracies one is kept of each epoch: they have no band.")
    loss, accuracy = figure.axes
    assert len(loss.collections) == 1
    assert not accuracy.collections
    assert line(accuracy, "training") == ([1, 2], [25, 50])
    assert line(accuracy, "test")[1][1:] == [75]
    assert labels(figure) == [("epoch", "loss"), ("epoch", "accuracy (%)")]
    assert_whole(figure)


def test_a_band_needs_two_epochs_of_several_batches(tmp_path: Path) -> None:
    for rows in ([], several([1.0] * 9), several([1.0] * 9, [1.0] * 3), several([1.0] * 9, [math.nan] * 9)):
        with pytest.raises(ValueError, match="two epochs of at least 4 steps"):
            loss_band(rows)
        assert not [path for path in draw_training([], rows, tmp_path) if "band" in path.name]
    rows = several([2.0, 1.0, 2.0, 1.0], [1.0] * 4)
    assert [path.name for path in draw_training([], rows, tmp_path)][-2:] == ["loss-band.png", "loss-band.svg"]
    assert_repeats(lambda: loss_band(rows), tmp_path)


def test_draw_training_writes_what_there_is(tmp_path: Path) -> None:
    paths = draw_training(epochs(loss=[0.6, 0.58]), steps([2.0, 1.0]), tmp_path / "figures")
    names = ["loss", "step-time", "curves-by-epoch", "curves-by-step"]
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(path.name for path in paths)
    broken = draw_training([], steps([math.nan]), tmp_path / "broken")
    assert [path.name for path in broken] == ["step-time.png", "step-time.svg"]
    assert draw_training([], [], tmp_path / "nothing") == []


def test_the_same_logs_give_the_same_files(tmp_path: Path) -> None:
    rows = steps([2 + math.sin(step) for step in range(700)], [0.1 + 0.01 * (step % 7) for step in range(700)])
    assert_repeats(lambda: loss_of_steps(rows), tmp_path)
