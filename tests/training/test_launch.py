import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from command_line import run_command
from retinula.errors import InputError, Interrupted, RetinulaError
from retinula.runs.run import Run
from retinula.training import launch
from retinula.training.processes import LAUNCHED, LOST_CODE


def pretend(monkeypatch: pytest.MonkeyPatch, end: Exception | None, run: Path | None = None) -> list[tuple[str, ...]]:
    """Let the agent end in some way, after the first process said where the run is; return what it was to start."""
    started: list[tuple[str, ...]] = []

    def agent(config: Any, program: str) -> Any:
        def start(*words: str) -> None:
            started.append((program, *words))
            if run is not None:
                Path(os.environ[LAUNCHED].partition(" ")[2]).write_text(str(run))
            if end is not None:
                raise end

        return start

    monkeypatch.setattr(launch, "elastic_launch", agent)
    monkeypatch.setattr(launch, "available_cores", lambda: 2)
    return started


def failed(*codes: int) -> ChildFailedError:
    return ChildFailedError("", {n: ProcessFailure(n, 100 + n, code, "") for n, code in enumerate(codes) if code})


def test_it_runs_the_same_command_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = pretend(monkeypatch, None)
    warnings: list[str] = []
    assert launch.start(2, ["train", "digits", "--procs", "2"], warnings.append) == 0
    assert started == [(sys.executable, "-m", "retinula", "train", "digits", "--procs", "2")]
    assert LAUNCHED not in os.environ
    assert not warnings
    launch.start(3, [], warnings.append)
    assert warnings == ["3 processes share 2 cores and will wait for each other: --procs 2 is faster"]
    with pytest.raises(InputError, match="9 processes are too many for 2 cores: --procs 2"):
        launch.start(9, [], warnings.append)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ((LOST_CODE, -signal.SIGKILL), r"process 2 of 2 was killed \(SIGKILL, perhaps for want of memory\); go on"),
        ((-signal.SIGTERM, -signal.SIGSEGV), r"process 2 of 2 was killed \(SIGSEGV\); go on from"),
        ((-signal.SIGTERM, LOST_CODE), r"process 1 of 2 was killed \(SIGTERM\); go on from the last checkpoint"),
        ((LOST_CODE, 0), "the 2 processes lost each other; go on from the last checkpoint with: retinula train --res"),
    ],
)
def test_what_no_process_could_say_is_said(
    codes: tuple[int, ...], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "step-000000007.safetensors").touch()
    pretend(monkeypatch, failed(*codes), tmp_path)
    with pytest.raises(RetinulaError, match=message) as caught:
        launch.start(2, [], print)
    assert caught.value.exit_code == 1
    assert str(tmp_path) in str(caught.value)
    pretend(monkeypatch, failed(*codes))
    with pytest.raises(RetinulaError, match="before there was a checkpoint to go on from: train anew"):
        launch.start(2, [], print)


@pytest.mark.parametrize(("codes", "code"), [((2, 2), 2), ((1, LOST_CODE), 1), ((1, -9), 1), ((-15, 130), 130)])
def test_what_a_process_has_said_is_not_repeated(
    codes: tuple[int, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, failed(*codes))
    assert launch.start(2, [], print) == code


def test_a_stop_is_told_by_the_first_process_if_it_has_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stop = SignalException("", signal.SIGINT)
    pretend(monkeypatch, stop)
    with pytest.raises(Interrupted, match="interrupted"):
        launch.start(2, [], print)
    pretend(monkeypatch, stop, tmp_path)
    assert launch.start(2, [], print) == 130
    (tmp_path / "report.json").touch()
    assert launch.start(2, [], print) == 0


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(
    number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said = run_command(monkeypatch, capsys, "train", "--procs", number, code=2)
    assert said.count("\n") == 1
    assert "--procs" in said


def test_processes_that_are_there_already_are_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("WORLD_SIZE", "3"), ("RANK", "0"), ("LOCAL_RANK", "0"), ("MASTER_ADDR", "localhost")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "1")
    _, said = run_command(monkeypatch, capsys, "train", "--procs", "2", code=2)
    assert said == "retinula: there are 3 processes already, started by torchrun: leave --procs out\n"


class Command:
    """`retinula train --procs 2` as a shell would start it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.run = Run(folder / "runs" / "pair")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "retinula", "train", "--procs", "2", *words],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_checkpoint(self) -> None:
        while not self.run.can_go_on:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def workers(self) -> dict[str, int]:
        """The numbers of the processes that train, by rank."""
        own = self.process.pid
        pids = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        environments = {pid: Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in pids}
        return {rank: int(pid) for rank in "01" for pid in pids if f"RANK={rank}" in environments[pid]}

    def end(self) -> tuple[int, str, list[str]]:
        out, said = self.process.communicate(timeout=100)
        return self.process.returncode, out, said.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find the processes")
def test_the_command_is_killed_goes_on_is_stopped_and_ends(tmp_path: Path) -> None:
    command = Command(tmp_path, "epochs=60", "model.arguments.width=0.25", "--run", "pair")
    command.wait_for_checkpoint()
    os.kill(command.workers()["1"], signal.SIGKILL)
    begun = time.monotonic()
    code, out, said = command.end()
    assert time.monotonic() - begun < 20
    assert (code, out) == (1, "")
    assert said[-1] == (
        "retinula: process 2 of 2 was killed (SIGKILL, perhaps for want of memory); "
        f"go on from the last checkpoint with: retinula train --resume {command.run.path.relative_to(tmp_path)}"
    )
    assert sum("retinula:" in line or "torch/" in line for line in said) == 1

    for number in (signal.SIGINT, signal.SIGTERM):
        command = Command(tmp_path, "--resume", "pair")
        before = command.run.log_file.read_text().count("going on")
        while command.run.log_file.read_text().count("going on") == before:
            assert command.process.poll() is None, command.process.communicate()
            time.sleep(0.05)
        command.process.send_signal(number)
        code, out, said = command.end()
        assert (code, out) == (130, "")
        assert said[-1].startswith("retinula: stopped at step ")
        assert said[-1].endswith("go on with: retinula train --resume runs/pair")
        assert sum("retinula:" in line or "torch/" in line for line in said) == 1

    code, out, said = Command(tmp_path, "--resume", "pair").end()
    assert (code, out.splitlines()[0].split(" ")[0]) == (0, "validation"), said
    assert command.run.metrics()[-1]["epoch"] == 60
    assert not command.run.checkpoints.exists()
