"""`retinula data show` and `unpack` tell how far loading is, which may be a download of gigabytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from command_line import run_command
from retinula.cli import data


@pytest.mark.parametrize("words", [["show", "pets"], ["unpack", "pets", "out"]])
def test_loading_is_told(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ant", "bee"):
        Path("pets", name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(f"pets/{name}/{number}.png")
    told: list[str] = []

    @contextmanager
    def counting() -> Iterator[Callable[[str, int, int | None], None]]:
        yield lambda what, done, total: told.append(what)

    monkeypatch.setattr(data, "counting", counting)
    run_command(monkeypatch, capsys, "data", *words)
    assert told[:2] == ["listing pets", "preparing pets"]
