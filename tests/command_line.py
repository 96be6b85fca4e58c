"""The command run in this process, as a shell would run it."""

import sys

import pytest

from retinula.cli import main


def run_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> tuple[str, str]:
    """Run `retinula` with these words, check its exit code, and return what it printed and complained."""
    monkeypatch.setattr(sys, "argv", ["retinula", *words])
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main.main()
    captured = capsys.readouterr()
    assert left.value.code == code, captured.err
    return captured.out, captured.err
