import mmap
import time
from pathlib import Path

import pytest

from benchmarks import many_pictures

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux keeps this account")


def test_sees_memory_of_either_kind(tmp_path: Path) -> None:
    size = 64 * 2**20
    (tmp_path / "file").write_bytes(bytes(size))
    start = many_pictures.held()
    with many_pictures.watched(start) as most, (tmp_path / "file").open("rb") as file:
        claimed = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        looked_at = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for place in range(0, size, mmap.PAGESIZE):
            claimed[place] = 1
            assert looked_at[place] == 0
        time.sleep(0.3)
    assert 56 < most["anonymous"] < 128
    assert 56 < most["mapped"] < 128
    assert most["resident"] > 112


def test_a_small_number_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many_pictures.main(["--pictures", "700", "--steps", "7", "--folder", str(tmp_path)])
    printed = capsys.readouterr().out
    table = dict(line.rsplit("  ", 1) for line in printed.splitlines()[1:])
    table = {name.strip(): value.strip() for name, value in table.items()}
    assert table["pictures"] == "700"
    assert table["steps"] == "7"
    assert float(table["pictures/s"].replace(",", "")) > 0
    assert 0 < float(table["training: anonymous"].removesuffix(" MiB")) < 1000
    assert list(tmp_path.iterdir()) == []
