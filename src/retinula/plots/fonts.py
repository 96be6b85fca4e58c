"""Which fonts letters are drawn with: matplotlib's own, then some that are known, then any installed one.

Knows nothing of figures.
"""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

_OWN: Final = "DejaVu Sans"
# Asked for next, where the system has them: the same letters look alike in all of them.
_FURTHER: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
_BOXES_ONLY: Final = ("Last Resort", ".LastResort")  # how the families begin that have a box for every letter

_EAST_ASIAN: Final = (
    "CJK ",
    "HIRAGANA ",
    "KATAKANA ",
    "HANGUL ",
    "BOPOMOFO ",
    "IDEOGRAPHIC ",
    "FULLWIDTH ",
    "HALFWIDTH ",
)
_EAST_ASIAN_PACKAGE: Final = "fonts-noto-cjk"
_SYMBOLS_PACKAGE: Final = "fonts-symbola"  # not one of coloured emoji, which matplotlib cannot draw
_OTHER_PACKAGE: Final = "fonts-noto-core"


def has_font(letter: str) -> bool:
    """Tell whether a letter can be drawn, both in regular and in bold."""
    return ord(letter) in _usual_letters() or (_is_assigned(letter) and ord(letter) in _elsewhere())


def families_for(text: str) -> tuple[str, ...]:
    """Return the families that a text is drawn with; each of its letters takes the first that has it.

    For all letters of a figure together they are in the same order as for each text in it.
    """
    lacking = {ord(letter) for letter in set(text) if _is_assigned(letter)} - _usual_letters()
    further = {_elsewhere().get(letter) for letter in lacking} if lacking else set()
    return (*_usual(), *sorted(family for family in further if family is not None))


def packages_for(letters: Iterable[str]) -> list[str]:
    """Return the packages of Debian and Ubuntu that have fonts for letters; none for what is no letter to anybody.

    >>> packages_for("\u0928\u732b\u0e01"), packages_for("\U0001f436"), packages_for("\ue000")
    (['fonts-noto-cjk', 'fonts-noto-core'], ['fonts-symbola'], [])
    """
    return sorted({_package_for(letter) for letter in letters if _is_assigned(letter)})


@contextmanager
def quiet() -> Iterator[None]:
    """Let nobody be told that a family has no bold: its regular letters are drawn then."""
    log = logging.getLogger(font_manager.__name__)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _package_for(letter: str) -> str:
    if unicodedata.name(letter).startswith(_EAST_ASIAN):
        return _EAST_ASIAN_PACKAGE
    return _SYMBOLS_PACKAGE if unicodedata.category(letter)[0] == "S" else _OTHER_PACKAGE


def _is_assigned(letter: str) -> bool:
    return bool(unicodedata.name(letter, ""))


@lru_cache(maxsize=1)
def _usual() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    return (_OWN, *(name for name in _FURTHER if name in installed))


@lru_cache(maxsize=1)
def _usual_letters() -> frozenset[int]:
    return frozenset.union(*map(_letters_of, _usual()))


@lru_cache(maxsize=1)
def _elsewhere() -> dict[int, str]:
    """Return by letter the family that has it, the first by name, where a usual one has not.

    All installed fonts are opened, so it is asked for only when such a letter is met.
    """
    found: dict[int, str] = {}
    for family in sorted(set(font_manager.get_font_names()) - set(_usual())):
        if not family.startswith(_BOXES_ONLY):
            for letter in _letters_of(family) - _usual_letters():
                found.setdefault(letter, family)
    return found


def _letters_of(family: str) -> frozenset[int]:
    """Return the code points that a family has both in regular and in bold; none where its files cannot be read."""
    letters = []
    with quiet():
        for weight in ("normal", "bold"):
            try:
                path = font_manager.findfont(FontProperties(family=[family], weight=weight), fallback_to_default=False)
                letters.append(frozenset(font_manager.get_font(path).get_charmap()))
            except (OSError, RuntimeError, ValueError):
                return frozenset()
    return letters[0] & letters[1]
