"""What lies in the cache, and emptying it beside processes that prepare."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retinula.datasets import cache
from retinula.datasets.contents import clear, kept_in
from retinula.files import lock
from retinula.files.lock import locked
from small_sets import check, make_reading, never

KEY, OTHER = f"pets-{'0' * 16}", f"more-pets-{'1' * 16}"


def prepare(folder: Path, key: str = KEY) -> None:
    check(cache.prepared(key, make_reading, folder, "pets", {}))


def left_of(folder: Path, key: str) -> Path:
    """What a preparation that was killed has left."""
    left = folder / "prepared" / f".{key}.{'a' * 16}"
    left.mkdir(parents=True)
    (left / "train.images.npy").write_bytes(bytes(1000))
    return left


def test_what_is_there_is_told(tmp_path: Path) -> None:
    place = tmp_path / "prepared"
    assert kept_in(place) == []
    prepare(tmp_path)
    left = left_of(tmp_path, OTHER)
    os.utime(left / "train.images.npy", (0, 0))
    os.utime(left, (60, 60))
    (place / "mine").mkdir()
    first, second = kept_in(place)
    assert (first.name, first.folder, first.num_images, first.num_bytes, first.whole) == ("", left, 0, 1000, False)
    assert first.made == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert (second.name, second.folder, second.num_images, second.whole) == ("pets", place / KEY, 11, True)
    assert second.num_bytes == sum(file.stat().st_size for file in (place / KEY).iterdir())
    assert second.to_dict()["folder"] == str(place / KEY)


def test_it_is_emptied_but_for_what_is_being_prepared_and_what_is_not_its_own(tmp_path: Path) -> None:
    place = tmp_path / "prepared"
    for key in (KEY, OTHER):
        prepare(tmp_path, key)
        left_of(tmp_path, key)
    (tmp_path / "elsewhere").mkdir()
    for name in ("mine", ".mine"):
        (place / name).mkdir()
    (place / f"link-{'2' * 16}").symlink_to(tmp_path / "elsewhere")
    with locked(place / f".{OTHER}.lock"):
        removed, spared = clear(place)
    assert {each.folder.name.strip(".").partition(".")[0] for each in removed} == {KEY}
    assert {each.folder.name.strip(".").partition(".")[0] for each in spared} == {OTHER}
    assert (len(removed), len(spared)) == (2, 2)
    assert (tmp_path / "elsewhere").exists()
    folders = {path.name for path in place.iterdir() if path.is_dir()}
    assert folders == {OTHER, f".{OTHER}.{'a' * 16}", "mine", ".mine", f"link-{'2' * 16}"}
    check(cache.prepared(OTHER, never, tmp_path, "pets", {}))
    prepare(tmp_path)


def test_without_locks_what_may_be_in_the_making_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_acquired", lambda *_: None)
    prepare(tmp_path)
    left = left_of(tmp_path, OTHER)
    removed, spared = clear(tmp_path / "prepared")
    assert ([each.folder for each in removed], [each.folder for each in spared]) == (
        [tmp_path / "prepared" / KEY],
        [left],
    )
    assert left.exists()


def test_what_any_killed_preparation_left_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left, held = left_of(tmp_path, OTHER), left_of(tmp_path, f"slow-{'3' * 16}")
    prepare(tmp_path)
    assert left.exists(), "its process may be alive"
    shutil.rmtree(tmp_path / "prepared" / KEY)
    monkeypatch.setattr("retinula.files.durable._ABANDONED_SECONDS", -60)
    with locked(tmp_path / "prepared" / f".slow-{'3' * 16}.lock"):
        prepare(tmp_path)
    assert (left.exists(), held.exists()) == (False, True)
