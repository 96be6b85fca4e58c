from collections.abc import Sequence
from typing import Any

import pytest

from figure_checks import assert_whole, words
from retinula.plots.tuning import Drawn, tuning_figure


def trials(metric: str) -> list[Drawn]:
    made: list[Drawn] = []
    for number in range(12):
        values: dict[str, Any] = {"optimizer.lr": 10.0 ** (-number / 4), "training.batch_size": 16 * (1 + number % 4)}
        values |= {"optimizer.name": ("sgd", "adamw")[number % 2], "augment.cutmix": number / 12}
        state = "given up" if number % 5 == 4 else "finished"
        made.append(Drawn(number, state, 0.4 + 0.05 * number if metric == "val_accuracy" else 1 / (number + 1), values))  # type: ignore[arg-type]  # one of the states
    return [*made, Drawn(12, "failed", None, {}), Drawn(13, "running", 0.9, made[0].values)]


SETTINGS = {"optimizer.lr": True, "training.batch_size": False, "optimizer.name": False, "augment.cutmix": False}


@pytest.mark.parametrize(("metric", "reached"), [("val_accuracy", "95.0 %"), ("val_loss", "0.08333")])
def test_what_trials_reached(metric: str, reached: str) -> None:
    figure = tuning_figure(trials(metric), SETTINGS, metric, [11])
    assert_whole(figure)
    assert f"Trial 11 of 14 has the best validation {metric.removeprefix('val_')}, {reached}" in words(figure)
    assert "14 trials, 2 given up, 1 failed, 1 not at their end." in words(figure)
    history, *panels = figure.axes
    assert [axes.get_xlabel() for axes in panels] == list(SETTINGS)
    assert [axes.get_xscale() for axes in panels] == ["log", "linear", "linear", "linear"]
    assert [tick.get_text() for tick in panels[2].get_xticklabels()] == ["adamw", "sgd"]
    steps = history.lines[0].get_ydata()
    assert list(steps) == sorted(steps, reverse=metric == "val_loss")  # type: ignore[arg-type, type-var]  # an array here
    assert len(steps) == 10  # type: ignore[arg-type]  # an array here


def test_of_trials_as_good_as_each_other_none_is_called_the_best() -> None:
    made = [trial._replace(value=0.95) if trial.number in (3, 11) else trial for trial in trials("val_accuracy")]
    figure = tuning_figure(made, SETTINGS, "val_accuracy", [3, 11])
    assert_whole(figure)
    assert "2 of 14 trials, as good as each other, have the best validation accuracy, 95.0 %" in words(figure)
    assert list(figure.axes[0].lines[-1].get_xdata()) == [3, 11]  # type: ignore[arg-type]  # an array here


@pytest.mark.parametrize(
    ("metric", "values"), [("val_accuracy", (0.95, 0.97, 0.99, 0.45)), ("val_loss", (3, 2, 1, 90))]
)
def test_a_trial_much_worse_than_the_others_does_not_press_them_together(metric: str, values: Sequence[float]) -> None:
    made = [Drawn(number, "finished", value, {"optimizer.lr": 0.1}) for number, value in enumerate(values, 1)]
    figure = tuning_figure(made, {"optimizer.lr": True}, metric, [3])
    assert_whole(figure)
    worst = "45.0 %" if metric == "val_accuracy" else "90"
    assert f"Worse than the axis shows, and drawn at its edge: trial 4 ({worst})." in words(figure)
    low, high = figure.axes[0].get_ylim()
    (drawn,) = (line for line in figure.axes[0].lines if line.get_label() == "finished")
    assert list(drawn.get_ydata())[-1] == (low if metric == "val_accuracy" else high)  # type: ignore[arg-type]  # an array here
    assert high - low < 5 * (max(values[:3]) - min(values[:3]))


def test_one_trial_is_enough() -> None:
    made = [Drawn(0, "finished", 0.5, {"optimizer.name": "a very long choice with many words in it"})]
    figure = tuning_figure(made, {"optimizer.name": False, "optimizer.lr": True}, "val_accuracy", [0])
    assert_whole(figure)
