"""A user without a home folder and without an entry among the users, as a container may have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("pwd")

# Runs commands one after the other, and prints the exit code of each.
PROGRAM = """
import pwd, sys
def nobody(*_): raise KeyError("nobody")
pwd.getpwuid = pwd.getpwnam = nobody
from retinula.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["retinula", *line.split()]
    try: main.main()
    except SystemExit as left: print("code", left.code, line, file=sys.stderr, flush=True)
"""
WITHOUT = ("data list", "data check own", "train digits training.steps=2 --run mine", "report mine")
WITH = ("data cache", "train own", "data get mnist", "data unpack shapes there")


def test_who_has_no_home_is_asked_for_a_folder_where_one_is_needed(tmp_path: Path) -> None:
    for name in ("train/cat/1", "train/owl/2", "test/cat/3", "test/owl/4"):
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        Image.new("L", (8, 8), int(name[-1])).save(tmp_path / "own" / f"{name}.png")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOME", "XDG_", "RETINULA_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="\n".join((*WITHOUT, *WITH, "doctor")),
        cwd=tmp_path,
        env={**kept, "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    codes = [line for line in done.stderr.splitlines() if line.startswith("code")]
    expected = [*(f"code 0 {line}" for line in WITHOUT), *(f"code 2 {line}" for line in WITH), "code 1 doctor"]
    assert codes == expected, done.stderr
    told = "this user has no home folder to keep data in: name a folder in RETINULA_CACHE"
    assert done.stderr.count(f"retinula: {told}\n") == len(WITH)
    assert f"retinula: cache: {told}\n" in done.stderr
