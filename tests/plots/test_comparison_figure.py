import pytest

from figure_checks import assert_whole, words
from retinula.plots.comparison import compared_curves

ROWS = [{"epoch": epoch, "val_accuracy": epoch / 10, "val_loss": 1 / epoch} for epoch in (1, 2, 3)]


@pytest.mark.parametrize(("metric", "named"), [("val_accuracy", "accuracy"), ("val_loss", "loss")])
def test_a_line_each(metric: str, named: str) -> None:
    figure = compared_curves({"one": ROWS, "a name " * 14: ROWS[:2], "none": []}, metric, ["one"])
    assert words(figure).startswith(f"one has the best validation {named}")
    assert_whole(figure)
    (axes,) = figure.axes
    lengths = [len(line.get_xdata()) for line in axes.lines]  # type: ignore[arg-type]  # an array here
    assert lengths == [3, 2, 0]
    assert axes.lines[0].get_linewidth() > axes.lines[1].get_linewidth()
    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[0] == "one"
    assert "\n" in labels[1]
    assert labels[2] == "none (no validation)"
    both = {"one": ROWS, "two": ROWS}
    seeds = compared_curves({**both, "three": ROWS}, metric, ["one", "two"])
    assert words(seeds).startswith(f"one and two have the best validation {named}")
    undecided = compared_curves(both, metric, [], "they cannot be told apart by 144 pictures")
    assert words(undecided).startswith(f"Validation {named} of 2 trainings: they cannot be told apart by 144 pictures")
    by_chance = compared_curves(both, metric, ["two"], "perhaps by chance")
    assert words(by_chance).startswith(f"two has the best validation {named}, perhaps by chance After each epoch")
    assert len({line.get_linewidth() for line in undecided.axes[0].lines}) == 1
    assert words(compared_curves(both, metric, [])).startswith(f"Validation {named} of 2 trainings After each epoch")
