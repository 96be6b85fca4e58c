"""`retinula data` on what is no data set: one line that says so, and nothing that a name could tell a terminal."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import run_command

HOSTILE = "a\x1b[31m\n[b]\x07"
COMMANDS = (("check",), ("show", "--out", "sheets"), ("unpack", "out"))


def _class(name: str) -> None:
    Path(name, "cat").mkdir(parents=True)
    Image.new("L", (8, 8)).save(Path(name, "cat", "1.png"))


def _empty(name: str) -> None:
    Path(name).write_bytes(b"")


MADE: dict[str, tuple[Callable[[str], None], str, str]] = {
    "nothing": (lambda name: None, "", "there is no data set, folder or file ''"),
    "pipe": (os.mkfifo, HOSTILE, "is neither a folder nor an ordinary file"),
    "pipe like a table": (os.mkfifo, f"{HOSTILE}.csv", "is neither a folder nor an ordinary file"),
    "pipe like arrays": (os.mkfifo, f"{HOSTILE}.npz", "is neither a folder nor an ordinary file"),
    "empty folder": (os.mkdir, HOSTILE, "there are no pictures in"),
    "one class": (_class, HOSTILE, "there is only one class, 'cat', in"),
    "no data": (_empty, HOSTILE, "is neither a folder nor a .zip, .tar, .csv, .tsv or .npz file"),
    "no table": (_empty, f"{HOSTILE}.csv", "needs at least two columns"),
    "no arrays": (_empty, f"{HOSTILE}.npz", "is not a .npz file"),
    "no archive": (_empty, f"{HOSTILE}.zip", "is damaged or not an archive"),
    "gone": (lambda name: None, f"{HOSTILE}.zip", "there is no file or folder"),
}


@pytest.mark.parametrize("kind", MADE)
def test_it_is_told_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, name, words = MADE[kind]
    (tmp_path / "here").mkdir()  # beside the cache
    monkeypatch.chdir(tmp_path / "here")
    make(name)
    before = sorted(Path().iterdir())
    for command, *rest in COMMANDS:
        said, complaint = run_command(monkeypatch, capsys, "data", command, name, *rest, code=2)
        assert said == ""
        assert complaint.count("\n") == 1
        assert complaint.rstrip("\n").isprintable()
        assert words in complaint
        assert not name or "\\x1b[31m" in complaint
    assert sorted(Path().iterdir()) == before


def test_a_hostile_name_of_sound_pictures_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), dtype=np.uint8)
    np.savez(f"{HOSTILE}.npz", images=images, labels=np.arange(10) % 2)
    shown = "a\\x1b[31m\\n[b]\\x07"
    for command, *rest in COMMANDS:
        said, remarks = run_command(monkeypatch, capsys, "data", command, f"{HOSTILE}.npz", *rest)
        assert all(line.isprintable() for line in f"{said}{remarks}".splitlines())
        assert command == "unpack" or any(line.startswith(shown) for line in said.splitlines())
