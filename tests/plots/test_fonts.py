"""Letters are drawn with a font that has them, whichever it is, and what is lacking is named."""

import logging
import unicodedata
from pathlib import Path

import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from retinula.plots import fonts
from retinula.plots.figure import TEXT, drawable, new_figure, of_boxes, save, styled, text_width
from retinula.plots.fonts import families_for, has_font, packages_for, quiet

NUSHU = chr(0x1B170)  # in no font of an ordinary system


def of_another_font(*kinds: str) -> str:
    """A letter that of all installed fonts none of the usual ones has; matplotlib itself brings such along."""
    return next(letter for letter in map(chr, sorted(fonts._elsewhere())) if unicodedata.category(letter) in kinds)


def test_a_letter_of_no_usual_font_is_drawn_with_another_that_has_it(tmp_path: Path) -> None:
    letter = of_another_font("Ll", "Lu", "Sm", "Nd")
    assert has_font(letter)
    assert drawable(f"cat {letter}") == f"cat {letter}"
    assert families_for(f"cat {letter}") == (*families_for("cat"), fonts._elsewhere()[ord(letter)])
    assert text_width(letter, TEXT) > 0
    assert of_boxes([letter]) == ""

    @styled
    def drawn() -> Figure:
        figure = new_figure(5, 3, "A cat")
        figure.subplots().set_title(letter)
        return figure

    (axes,) = drawn().axes
    assert tuple(axes.title.get_fontfamily()) == families_for(letter)
    assert len(save(drawn(), tmp_path, "drawn")) == 2, "without a warning"


def test_what_is_a_letter_to_nobody_is_drawn_as_a_box_whatever_a_font_has_for_it() -> None:
    private = of_another_font("Co")
    assert not has_font(private)
    assert drawable(private) == "\u25a1"
    assert of_boxes([private]) == " \u25a1 is a letter that no font here has."


def test_a_font_of_boxes_for_every_letter_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = font_manager.get_font_names()
    monkeypatch.setattr(font_manager, "get_font_names", lambda: ["Last Resort High-Efficiency", ".LastResort", "cmr10"])
    monkeypatch.setattr(fonts, "_letters_of", lambda family: frozenset({ord(NUSHU), ord(family[0])}))
    monkeypatch.setattr(fonts, "_usual_letters", frozenset)
    monkeypatch.setattr(fonts, "_usual", tuple)
    assert fonts._elsewhere.__wrapped__() == {ord(NUSHU): "cmr10", ord("c"): "cmr10"}
    assert "Last Resort High-Efficiency" in before, "matplotlib brings one along"


def test_that_a_family_has_no_bold_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger(font_manager.__name__)
    before = log.level
    with quiet():
        log.warning("no bold")
    assert (caplog.text, log.level) == ("", before)


def test_the_advice_is_of_the_script_that_is_lacking() -> None:
    assert packages_for("\u0928") == ["fonts-noto-core"]
    assert packages_for("\u732b\ud55c") == ["fonts-noto-cjk"]
    assert packages_for(f"{NUSHU}\u732b\ue000") == ["fonts-noto-cjk", "fonts-noto-core"]
    assert of_boxes(["cat", f"{NUSHU} {NUSHU}"]) == (
        " \u25a1 is a letter that no font here has: install one, for example fonts-noto-core."
    )
    assert of_boxes(["cat"]) == of_boxes([]) == ""
