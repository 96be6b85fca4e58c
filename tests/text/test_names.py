"""What can be printed of names, and what classes may be called."""

import json

import numpy as np
import pytest

from retinula.text.names import LONGEST_CLASS_NAME, fault_in_class_names, printable

# Orthography needs joiners, and spaces come in several widths.
GOOD = (
    "cat",
    "öwl",
    "写真",
    "a b",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u3000x",
    "x" * LONGEST_CLASS_NAME,
)
BAD = (
    "",
    "\u200b\u2060 ",
    "a\nb",
    "a\x1b[0m",
    "\x9d0;x",
    "a\u202eb",
    "\u2066a",
    "a\u2028b",
    "\u200ea",
    "a\u200f",
    "\u061ca",
    "\ud800",
    "x" * (LONGEST_CLASS_NAME + 1),
    " ",
)


@pytest.mark.parametrize("name", GOOD)
def test_names_of_classes(name: str) -> None:
    assert not fault_in_class_names([name, "other"], ["group", "group"])
    assert printable(name) == name


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_names_that_no_class_may_have(name: str) -> None:
    for fault in fault_in_class_names(["other", name]), fault_in_class_names(["a", "b"], ["group", name]):
        assert fault.startswith("no class can be called ")
        assert fault.isprintable()
        assert len(fault) < 300


def test_two_classes_have_two_names() -> None:
    assert fault_in_class_names(["a", "b", "a"]) == "two classes are called 'a'"


@pytest.mark.parametrize("invisible", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\xad"])
def test_names_that_differ_in_what_nobody_sees_are_one(invisible: str) -> None:
    for twin in (f"{invisible}a", f"a{invisible}", f"{invisible}a{invisible}"):
        fault = fault_in_class_names(["b", twin, "c", "a"])
        assert fault == f"two classes read the same: {twin!r} and 'a'"
        assert fault.isprintable()
        assert not fault_in_class_names([twin, "b"])


def test_a_model_keeps_the_names_that_classes_once_could_have() -> None:
    old = ["\u0645\u06cc\u062e", "\u0645\u06cc\u200c\u062e", "\u200ea", "a\u200f", "\u061ca", "\u200b"]
    assert fault_in_class_names(old[:2]).startswith("two classes read the same")
    assert not fault_in_class_names(old, old, of_model=True)
    for name in ("", " ", "a\nb", "\u200e\u202ea", "\ud800", "x" * (LONGEST_CLASS_NAME + 1)):
        assert fault_in_class_names(["other", name], of_model=True).startswith("no class can be called ")
    assert fault_in_class_names(["a", "a"], of_model=True) == "two classes are called 'a'"


def test_names_are_text() -> None:
    assert fault_in_class_names(range(10)) == "no class can be called 0: names are text, such as '0'"
    assert (
        fault_in_class_names(["a", "b"], ["x", None]) == "no class can be called None: names are text, such as 'None'"
    )
    assert fault_in_class_names(np.array(["a", "b"]), np.array(["x", "x"])) == ""
    assert len(fault_in_class_names([tuple(range(1000))])) < 200


def test_what_a_folder_is_called_once_it_is_printable_is_the_name_of_a_class() -> None:
    for name in (*BAD[2:11], json.loads('"\\udcff"')):  # the last is a byte that is no text
        assert not fault_in_class_names([printable(name)])
