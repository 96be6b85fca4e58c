"""What all figures share: style, palette, words that always fit, and files that are the same every time.

Uses matplotlib's objects only, never pyplot: no window, no global figure. Knows nothing of what is drawn.
"""

import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, ParamSpec

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from retinula.files.durable import make_folder, write_bytes
from retinula.plots.fonts import families_for, has_font, packages_for, quiet
from retinula.text.words import listed

# Okabe and Ito 2008: told apart with any kind of colour vision.
BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
INK: Final = "#1A1A1A"
GREY: Final = "#5F5F5F"
SERIES: Final = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)  # as lines and groups take them, one after the other

METRIC_NAMES: Final = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}

RIGHT, WRONG = "\u2713", "\u2717"  # so that right and wrong are told apart without colour

DPI: Final = 150
TEXT: Final = 11.0  # points; half the size is still readable
TITLE: Final = 14.0
LINE: Final = 1.3  # height of a line of text, in sizes
MARGIN: Final = 0.12  # inches, around the figure and between its parts
POINTS: Final = 72.0  # points an inch
_HANDLE: Final = 50.0  # points of a legend's column that its words do not take: the line, and the gaps beside it
_BESIDE: Final = 60.0  # points that a legend above axes may be wider than these are before they are laid out
_UNKNOWN: Final = "\u25a1"
_TRIED_FIRST: Final = 32  # letters: most texts are shorter, and are measured once

_STYLE: Final[dict[Any, Any]] = {
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titlepad": 6,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "xtick.labelsize": TEXT - 0.5,
    "ytick.labelsize": TEXT - 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # class names are text, whatever dollar signs they hold
    "legend.frameon": True,  # a white ground, so that it can be read where it lies over the data
    "legend.facecolor": "white",
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": TEXT - 0.5,
    "lines.linewidth": 2.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "retinula",
    "image.interpolation": "nearest",
}

P = ParamSpec("P")


@contextmanager
def style() -> Iterator[None]:
    """Draw as retinula draws, whatever the user's own settings of matplotlib, which come back afterwards."""
    with mpl.rc_context(), quiet():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, "font.family": list(families_for(""))})
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw in retinula's style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            figure = draw(*args, **kwargs)
        texts = figure.findobj(Text)
        families = families_for("".join(text.get_text() for text in texts))
        for text in texts:
            text.set_fontfamily(families)
        return figure

    return drawn


def new_figure(width: float, height: float, title: str, remark: str = "") -> Figure:
    """Return an empty figure with its title, and a remark below it, both wrapped to its width.

    Args:
        width: in inches.
        height: in inches, of what is drawn; the title's height comes on top.
        title: what the figure shows, as a sentence.
        remark: what one has to know to read it.
    """
    room = (width - 2 * MARGIN) * POINTS
    lines = wrap(title, room, TITLE, bold=True)
    small = wrap(remark, room, TEXT) if remark else []
    head = (len(lines) * TITLE + len(small) * TEXT) * LINE / POINTS + 1.5 * MARGIN
    whole = height + head
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, height / whole), w_pad=MARGIN, h_pad=MARGIN)
    figure = Figure(figsize=(width, whole), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    y = whole - MARGIN
    for text, size, weight, colour in ((lines, TITLE, "bold", INK), (small, TEXT, "normal", GREY)):
        for line in text:
            figure.text(MARGIN / width, y / whole, line, size=size, weight=weight, color=colour, va="top")
            y -= size * LINE / POINTS
    return figure


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `folder/name.png` and `folder/name.svg`; the same figure always gives the same bytes.

    Raises:
        RetinulaError: the folder cannot be written to.
    """
    make_folder(folder)
    # Laid out once: every further drawing would move the axes by a hair, and no two files would agree.
    layout = figure.get_layout_engine()
    if layout is not None:
        with style():
            layout.execute(figure)
        figure.set_layout_engine(None)
    paths = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        content = io.BytesIO()
        with style():
            figure.savefig(content, format=kind, dpi=DPI, metadata=metadata, facecolor="white")
        path = folder / f"{name}.{kind}"
        write_bytes(path, content.getvalue())
        paths.append(path)
    return paths


def drawable(text: str) -> str:
    """Return a text of which every letter can be drawn: one line, boxes for letters that no font has."""
    kept = []
    for letter in _one_line(text):
        if _can_be_drawn(letter):
            kept.append(letter)
        elif _is_seen(letter):
            kept.append(_UNKNOWN)
    return "".join(kept)


def class_names(classes: Sequence[str]) -> list[str]:
    """Return the names of classes as they can be drawn; one that cannot carries its number as well.

    >>> class_names(["cat", chr(0x1B170)])
    ['cat', '□ (class 1)']
    """
    names = []
    for number, name in enumerate(classes):
        shown = drawable(name)
        names.append(f"{shown} (class {number})".strip() if _UNKNOWN in shown or not shown else shown)
    return names


def by_class_name(classes: Sequence[str]) -> dict[str, str]:
    """Return what `class_names` makes of names, by the name."""
    return dict(zip(classes, class_names(classes), strict=True))


def of_boxes(texts: Iterable[str]) -> str:
    """Return, as the end of a remark, what the boxes are that are drawn for letters of texts; nothing without boxes.

    Args:
        texts: as they are, not as `drawable` or `class_names` returns them.
    """
    lacking = {each for text in texts for each in _one_line(text) if _is_seen(each) and not _can_be_drawn(each)}
    if not lacking:
        return ""
    packages = packages_for(lacking)
    advice = f": install {'one' if len(packages) == 1 else 'some'}, for example {listed(packages)}" if packages else ""
    return f" {_UNKNOWN} is a letter that no font here has{advice}."


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is drawn, in points."""
    font = _font(families_for(text), size, bold)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def widest(labels: Sequence[str], size: float) -> float:
    """Return the width of the widest line in any of these texts, in inches."""
    return max(text_width(line, size) for label in labels for line in label.split("\n")) / POINTS


def wrap(text: str, room: float, size: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines no wider than `room`, at spaces, after `_`, `-`, `/` or, if it must be, anywhere.

    Args:
        text: anything; every letter of it is kept, but the spaces where it breaks.
        room: in points.
        size: of the letters, in points.
        bold: whether they are bold.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(drawable(text)):
        if line and text_width((line + piece).rstrip(), size, bold=bold) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while (cut := _fitting(line, room, size, bold)) < len(line):
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def legend_above(axes: Axes, handles: Sequence[Artist] | None = None) -> None:
    """Put the legend above axes, where it covers nothing, in as many columns as there is room for; none of nothing.

    Args:
        axes: with what is named in them; a title of theirs goes above the legend.
        handles: what to name, with their own labels; all of the axes where None.
    """
    shown = axes.get_legend_handles_labels()[0] if handles is None else list(handles)
    if not shown:
        return
    room = axes.bbox.width * POINTS / DPI + _BESIDE
    lines = [wrap(str(handle.get_label()), room - _HANDLE, TEXT - 0.5) for handle in shown]
    widths = [max(text_width(line, TEXT - 0.5) for line in each) + _HANDLE for each in lines]
    columns = len(shown) if sum(widths) <= room else min(len(shown), max(1, int(room / max(widths))))
    axes.legend(
        handles=shown,
        labels=["\n".join(each) for each in lines],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        labelcolor=GREY,
        borderaxespad=0.1,
        frameon=False,
    )
    rows = -(-len(shown) // columns) * max(map(len, lines))
    axes.set_title(axes.get_title(loc="left"), pad=14 + rows * LINE * TEXT)


def bare(axes: Axes) -> None:
    """Take ticks, grid and frame from axes that hold a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _pieces(text: str) -> list[str]:
    pieces = [""]
    for letter, following in pairwise(text + " "):
        pieces[-1] += letter
        if letter in " _-/" and following != "%":  # a number keeps its unit
            pieces.append("")
    return [piece for piece in pieces if piece]


def _fitting(line: str, room: float, size: float, bold: bool) -> int:
    """Return how many letters of a line fit, at least one; spaces at its end need no room."""
    letters = len(line.rstrip())
    low, high = 1, min(letters, _TRIED_FIRST)
    # To measure takes as long as the text is, so of a very long one little more is measured than what fits.
    while high <= 1 or text_width(line[:high], size, bold=bold) <= room:
        if high == letters:
            return len(line)
        low, high = high, min(letters, 2 * high)
    high -= 1
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(line[:middle], size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return low


@lru_cache(maxsize=64)
def _font(families: tuple[str, ...], size: float, bold: bool) -> FontProperties:
    return FontProperties(family=families, size=size, weight="bold" if bold else "normal")


def _one_line(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _can_be_drawn(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cf") and has_font(letter)


def _is_seen(letter: str) -> bool:
    """Tell whether a reader would miss a letter: it is no mark on another, nor one that only joins letters."""
    kind = unicodedata.category(letter)
    return kind[0] not in "CM" or kind in ("Cn", "Co")
