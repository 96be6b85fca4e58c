from pathlib import Path

import pytest
from PIL import Image

from retinula.reproduction.photos import check_photos
from retinula.training.reporting import Reporter


class Listens(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a.png,cat\n", []),
        (
            "a.png,cat\ngone.png,owl\n",
            ["1 of 2 files of photos/labels.csv names no picture that was given: gone.png"],
        ),
    ],
)
def test_rows_without_a_photo_are_told(
    rows: str, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.new("L", (8, 8)).save("photos/a.png")
    Path("photos/labels.csv").write_text(rows)
    listens = Listens()
    check_photos(Path("photos"), ("cat", "owl"), listens)
    assert listens.said == told
