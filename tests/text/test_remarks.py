"""Lines about the work reach whoever takes them, and are no reason to lose it where nobody does."""

import io
import sys

import pytest

from retinula.text.remarks import remark


class Failing(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize("gone", [BrokenPipeError(), OSError(28, "full"), ValueError("closed"), None])
def test_nothing_is_lost_with_whoever_reads_it(gone: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = None if gone is None else Failing(gone)
    monkeypatch.setattr(sys, "stderr", stream)
    remark("a decision")
    assert stream is None or stream.getvalue() == "a decision\n"


def test_what_an_encoding_lacks_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(content, encoding="ascii"))
    remark("\xfc\x1b[2J")
    assert content.getvalue() == b"\\xfc\\x1b[2J\n"
