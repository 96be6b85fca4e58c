import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retinula import machine
from retinula.machine import available_cores, busy_share
from retinula.pictures import decoding
from retinula.pictures.decoding import decode_all
from retinula.serving import service
from retinula.serving.counters import Counters
from retinula.serving.from_onnx import served_onnx
from retinula.serving.limits import Limits
from retinula.trained.onnx_model import OnnxModel
from tiny_onnx import tiny_onnx


def limit(groups: dict[str, str], folder: Path, patch: pytest.MonkeyPatch, own: str = "0::/") -> None:
    """Let the process have eight cores, and be in a control group of those with such quotas."""
    patch.setattr(os, "cpu_count", lambda: 8)
    patch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (folder / "own").write_text(f"9:name=systemd:/\n{own}\n")
    patch.setattr(machine, "_OWN_GROUP", folder / "own")
    patch.setattr(machine, "_GROUPS", folder / "groups")
    for name, quota in groups.items():
        (folder / "groups" / name).mkdir(parents=True, exist_ok=True)
        (folder / "groups" / name / "cpu.max").write_text(f"{quota}\n")


@pytest.mark.parametrize(
    ("group", "limits", "cores"),
    [
        ("0::/", {}, 8),
        ("0::/", {"": "max 100000"}, 8),
        ("0::/", {"": "150000 100000"}, 2),
        ("0::/", {"": "1600000 100000"}, 8),
        ("0::/", {"": "5000 100000"}, 1),
        ("0::/a/b", {"a": "300000 100000", "a/b": "max 100000"}, 3),
        ("0::/a/b", {"a": "300000 100000", "a/b": "200000 100000"}, 2),
        ("0::/a", {"b": "100000 100000"}, 8),
        ("0::/", {"": "nonsense"}, 8),
        ("1:cpu:/a", {"a": "100000 100000"}, 8),
    ],
)
def test_cores_are_those_that_the_process_may_use_all_the_time(
    group: str, limits: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(limits, tmp_path, monkeypatch, group)
    assert available_cores() == cores


def test_where_no_group_is_known_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    monkeypatch.setattr(machine, "_OWN_GROUP", tmp_path / "own")
    assert available_cores() == 3


def test_whoever_starts_threads_starts_no_more_than_the_quota_lets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit({"": "300000 100000"}, tmp_path, monkeypatch)
    pools = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, threads: int, thread_name_prefix: str) -> None:
            pools.append(threads)
            super().__init__(threads, thread_name_prefix)

    for room in (decoding, service):
        monkeypatch.setattr(room, "ThreadPoolExecutor", Counted)
    assert list(decode_all([], lambda picture: picture)) == []
    model = OnnxModel.from_bytes(tiny_onnx())
    service.Service(served_onnx(model, "tiny"), Limits(), Counters())
    assert pools == [3, 3]
    assert model._session.get_session_options().intra_op_num_threads == 3


def test_the_machine_is_known_without_torch() -> None:
    program = "import sys, retinula.machine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert machine.processor()
    assert machine.bfloat16_units() in ("amx", "avx512", "none", "unknown")
    assert machine.memory_gib() != 0


def test_the_share_that_others_use_is_that_of_all_time(monkeypatch: pytest.MonkeyPatch) -> None:
    #        user, low priority, system, idle, waiting, interrupts, stolen
    before = [100, 50, 10, 1000, 5, 1, 1, 3]
    for spent, share in (
        ([0, 0, 0, 40, 0, 0, 0, 0], 0.0),
        ([15, 0, 5, 20, 0, 0, 0, 0], 0.5),
        ([10, 20, 0, 10, 0, 0, 0, 0], 0.25),  # what makes way does not count
        ([0, 0, 0, 0, 0, 0, 0, 0], 0.0),
    ):
        after = [old + new for old, new in zip(before, spent, strict=True)]
        looks = iter((before, after))
        monkeypatch.setattr(machine, "_processor_time", lambda looks=looks: next(looks))
        assert busy_share(0) == share
    monkeypatch.setattr(machine, "_processor_time", lambda: None)
    assert busy_share(0) is None


@pytest.mark.skipif(sys.platform != "linux", reason="told by Linux alone")
def test_linux_tells_the_share() -> None:
    share = busy_share(0.05)
    assert share is not None
    assert 0 <= share <= 1
