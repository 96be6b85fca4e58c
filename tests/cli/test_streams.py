"""A command does its work whatever becomes of what it prints to."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retinula.runs.run import Run

# Figures take longer than such a training; the hardware is given, because measuring does too.
PROGRAM = """
import os, signal, sys
from contextlib import suppress
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored where tests run in the background
from retinula import experiment, measurement
from retinula.cli import entry
from retinula.training import loop
from retinula.training.hardware import Hardware

experiment.draw_training = measurement.draw_evaluation = lambda *_, **__: None
loop.choose_hardware = lambda *_, **__: Hardware("cpu", 1, True, "float32", "for the test")
codes = []
for words in sys.argv[1].split(";"):
    sys.argv[1:] = words.split()
    try:
        entry.main()
    except SystemExit as left:
        codes.append(left.code)
# What is opened now must not have the number of a stream, nor what is printed to that lie in it.
with open("probe", "wb"):
    for number in (1, 2):
        with suppress(OSError):
            os.write(number, b"said")
Path("codes").write_text(str(codes))
sys.exit(codes[-1])
"""
TRAIN = "train digits classes=[0,1,2] model.arguments.width=0.25 batch_size=16 --run mine"


def test_whoever_stops_reading_takes_no_training_with_it(tmp_path: Path) -> None:
    """As `tee` does, which the same Ctrl-C ends."""
    run = Run(tmp_path / "runs" / "mine")
    command = [sys.executable, "-c", PROGRAM, f"{TRAIN} epochs=50"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith(b"epoch"):
                break
        child.stderr.close()
        before = len(run.metrics())
        while child.poll() is None and len(run.metrics()) < before + 3:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    assert run.checkpoint_step() == run.steps()[-1]["step"]
    assert run.log_file.read_text().rstrip().endswith(f"stopped at step {run.checkpoint_step()}")


@pytest.mark.skipif(sys.platform == "win32", reason="its shell closes no streams")
def test_closed_streams_are_no_hindrance(tmp_path: Path) -> None:
    work = f"{TRAIN} epochs=1;evaluate mine --out ev;runs;nothing"
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", PROGRAM, work]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert (tmp_path / "codes").read_text() == "[0, 0, 0, 2]"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")
    assert (tmp_path / "probe").read_bytes() == b""
    assert json.loads((tmp_path / "ev" / "report.json").read_text())["split"] == "test"
