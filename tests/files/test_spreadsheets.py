import pytest

from retinula.files.spreadsheets import harmless, original
from spreadsheet_cases import SPREADSHEET_CASES


@pytest.mark.parametrize(("name", "written"), SPREADSHEET_CASES.items())
def test_no_name_is_computed_and_every_one_is_read_back(name: str, written: str) -> None:
    assert harmless(name, "'") == written
    assert original(written) == name
    assert harmless(name, "./") == (name if name == written else f"./{name}")
