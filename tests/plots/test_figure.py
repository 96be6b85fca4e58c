"""What all figures share: words that fit, files that repeat, nothing global that changes."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retinula.errors import RetinulaError
from retinula.plots import figure as plots_figure
from retinula.plots.figure import TEXT, class_names, drawable, new_figure, save, style, styled, text_width, wrap


@styled
def example(title: str = "A title", labels: tuple[str, str] = ("one", "two")) -> mpl.figure.Figure:
    figure = new_figure(5, 3, title, "and what one has to know")
    axes = figure.subplots()
    axes.bar([0, 1], [3, 4])
    axes.set_xticks([0, 1], labels)
    return figure


def test_the_same_figure_gives_the_same_files(tmp_path: Path) -> None:
    first = save(example(), tmp_path / "a" / "deep", "bars")
    second = save(example(), tmp_path / "b", "bars")
    assert [path.name for path in first] == ["bars.png", "bars.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    again = example()
    save(again, tmp_path / "c", "bars")
    assert [path.read_bytes() for path in save(again, tmp_path / "c", "bars")] == [path.read_bytes() for path in first]


def test_files_hold_no_date_and_are_what_they_are_called(tmp_path: Path) -> None:
    png, svg = save(example(), tmp_path, "bars")
    with Image.open(png) as picture:
        picture.load()
        assert (picture.format, picture.width) == ("PNG", 750)
        assert set(picture.info) <= {"dpi"}
    assert ET.fromstring(svg.read_text()).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own file
    assert "dc:date" not in svg.read_text()
    assert "<text" not in svg.read_text()  # letters are drawn, so that no font is asked for


def test_the_users_own_settings_neither_matter_nor_change(tmp_path: Path) -> None:
    plain = [path.read_bytes() for path in save(example(), tmp_path, "plain")]
    changes: dict[Any, Any] = {
        "font.size": 30,
        "axes.facecolor": "pink",
        "svg.hashsalt": None,
        "text.usetex": True,
        "savefig.dpi": 20,
    }
    with mpl.rc_context(changes):
        before = dict(mpl.rcParams)
        other = [path.read_bytes() for path in save(example(), tmp_path, "other")]
        assert dict(mpl.rcParams) == before
    assert other == plain


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RetinulaError, match="cannot write"):
        save(example(), tmp_path / "file" / "figures", "bars")


def test_drawing_needs_no_window_and_no_global_figure() -> None:
    script = (
        "import sys\n"
        "from retinula.plots.training import loss_of_steps\n"
        "loss_of_steps([{'step': 1.0, 'loss': 2.0}, {'step': 2.0, 'loss': 1.0}])\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for file in Path(plots_figure.__file__).parent.glob("*.py"):
        assert "import matplotlib.pyplot" not in file.read_text()
        assert "import pyplot" not in file.read_text()


def test_letters_that_cannot_be_drawn_become_boxes_and_the_class_keeps_its_number() -> None:
    unassigned = chr(0x1B170)  # Nushu, in no font of an ordinary system
    assert drawable(f"cat {unassigned}") == "cat \u25a1"
    assert class_names(["cat", unassigned, "\u043a\u043e\u0448\u043a\u0430", "", " \n"]) == [
        "cat",
        "\u25a1 (class 1)",
        "\u043a\u043e\u0448\u043a\u0430",
        "(class 3)",
        "(class 4)",
    ]


def test_control_letters_lines_and_composed_letters() -> None:
    assert drawable("a\tb\nc\u200bd\x07 ") == "a b cd"
    assert drawable("cafe\u0301") == "caf\u00e9"


def test_strange_names_are_drawn_without_a_warning(tmp_path: Path) -> None:
    names = class_names(["$\\frac{$ 5$ & $x_1$", "\u732b\u306e\u540d\u524d \U0001f600"])
    png, _ = save(example("\u732b $ $ \u062a", (names[0], names[1])), tmp_path, "strange")
    assert png.stat().st_size > 1000


@pytest.mark.parametrize("bold", [False, True])
def test_text_is_as_wide_as_it_is_drawn(bold: bool) -> None:
    with style():
        figure = new_figure(8, 3, "x")
        weight = "bold" if bold else "normal"
        drawn = figure.text(0, 0, "maple_tree, 100 %", size=TEXT, weight=weight)
        points = drawn.get_window_extent().width / figure.dpi * 72
    assert text_width("maple_tree, 100 %", TEXT, bold=bold) == pytest.approx(points, rel=0.03)


@settings(max_examples=60)
@given(st.text(st.sampled_from("abc WM_-/%\u0436"), max_size=60), st.floats(20, 200))
def test_wrapping_keeps_every_letter_and_the_width(text: str, room: float) -> None:
    lines = wrap(text, room, TEXT)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, TEXT) <= room for line in lines)
    assert len(lines) >= 1


def test_wrapping_breaks_where_one_would() -> None:
    assert wrap("large_man-made outdoor things", 90, TEXT) == ["large_man-", "made outdoor", "things"]
    assert wrap("it is sure for 100 %", text_width("it is sure for 100", TEXT) + 1, TEXT) == ["it is sure for", "100 %"]
    assert wrap("", 50, TEXT) == [""]
    long = wrap("pneumonoultramicroscopic", 60, TEXT)
    assert len(long) > 1
    assert "".join(long) == "pneumonoultramicroscopic"


def test_of_a_long_word_little_more_is_measured_than_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def listening(text: str, size: float, *, bold: bool = False) -> float:
        measured.append(text)
        return text_width(text, size, bold=bold)

    monkeypatch.setattr(plots_figure, "text_width", listening)
    lines = wrap("ab" * 1000, 100, TEXT)
    assert "".join(lines) == "ab" * 1000
    assert max(map(len, measured)) <= 32
    assert sum(map(len, measured)) < 20 * 2000
    assert all(text_width(f"{line}{following[0]}", TEXT) > 100 for line, following in pairwise(lines))


def test_a_long_title_makes_the_figure_higher_not_the_picture_smaller() -> None:
    short, long = example("A title"), example("A title that goes on " * 8)
    line = 14 * 1.3 / 72
    grown = long.get_size_inches()[1] - short.get_size_inches()[1]
    assert grown == pytest.approx(round(grown / line) * line)
    assert round(grown / line) >= 2
    for figure in (short, long):
        with style():
            figure.canvas.draw()
    heights = [figure.axes[0].get_window_extent().height for figure in (short, long)]
    assert heights[0] == pytest.approx(heights[1], rel=0.01)


def test_pixels_of_the_ground_are_white(tmp_path: Path) -> None:
    png, _ = save(example(), tmp_path, "bars")
    with Image.open(png) as picture:
        corner = np.asarray(picture.convert("RGB"))[:5, :5]
    assert corner.min() == 255
