import pytest

from retinula.training import memory


def test_peak_grows_with_what_is_held() -> None:
    before = memory.peak_memory_mib()
    assert before is not None
    held = bytearray(int((before + 200) * 2**20))
    for page in range(0, len(held), 4096):
        held[page] = 1
    after = memory.peak_memory_mib()
    assert after is not None
    assert before + 100 < after < 3 * before + 400


def test_a_system_that_keeps_no_account_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "find_spec", lambda _: None)
    assert memory.peak_memory_mib() is None
