"""What is asked of every figure: nothing that is written in it may be cut off."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from retinula.plots.figure import save, style


def words(figure: Figure) -> str:
    """Return title and remark as one line."""
    return " ".join(each.get_text() for each in figure.texts)


def assert_whole(figure: Figure) -> None:
    """Check that all that is drawn lies within the figure, to a hundredth of an inch."""
    with style():
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= -0.01, f"cut on the left: {drawn}"
    assert drawn.y0 >= -0.01, f"cut below: {drawn}"
    assert drawn.x1 <= width + 0.01, f"cut on the right: {drawn}, but {width} wide"
    assert drawn.y1 <= height + 0.01, f"cut above: {drawn}, but {height} high"
    assert drawn.width > 0.5 * width, f"the figure is mostly empty: {drawn}, but {width} wide"


def assert_repeats(draw: Callable[[], Figure], folder: Path) -> None:
    """Check that what is drawn twice gives the same bytes, as PNG and as SVG."""
    first = [path.read_bytes() for path in save(draw(), folder, "first")]
    second = [path.read_bytes() for path in save(draw(), folder, "second")]
    assert [len(content) for content in first] == [len(content) for content in second]
    assert first == second
