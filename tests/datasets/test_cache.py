import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import filelock
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinula.datasets import cache
from retinula.datasets.reading import Chunk, Dataset, Reading, Skipped, SplitName
from retinula.errors import InputError, RetinulaError
from retinula.files.lock import locked
from small_sets import CLASSES, check, images_of, make_reading, never, prepare


def test_gives_back_all_that_was_read_and_reads_once(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    second = prepare(tmp_path, never)
    for dataset in (first, second):
        check(dataset)
        assert dataset.name == "pets"
        assert dataset.validation is None
        assert dataset.skipped == (Skipped("bad.png", "it is empty"),)
        train = dataset.splits["train"]
        assert train.name == "pets/train"
        assert train.classes == CLASSES
        assert train.superclasses == ("pet", "pet", "bird")
        assert train.provenance == {"copy": "own files"}


def test_pictures_are_mapped_and_cannot_be_written_to(tmp_path: Path) -> None:
    train = prepare(tmp_path).splits["train"]
    assert isinstance(train.images.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        train.images[0] = 0
    assert np.array_equal(np.load(tmp_path / "prepared/pets-1/train.images.npy"), images_of(10))


def test_leaves_nothing_but_the_set(tmp_path: Path) -> None:
    prepare(tmp_path)
    assert [path.name for path in (tmp_path / "prepared").iterdir() if not path.name.endswith(".lock")] == ["pets-1"]
    assert sorted(path.name for path in (tmp_path / "prepared/pets-1").iterdir()) == [
        "index.json",
        "test.images.npy",
        "test.labels.bin",
        "train.images.npy",
        "train.labels.bin",
        "train.sources.json",
    ]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_pictures_may_come_out_of_order(tmp_path: Path, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    cuts = sorted({0, count, *data.draw(st.lists(st.integers(0, count), max_size=5))})
    parts = data.draw(st.permutations([*itertools.pairwise(cuts)]))
    images = images_of(count)
    labels = np.arange(count) % 3

    def joint() -> Iterator[tuple[SplitName, Chunk]]:
        for start, end in parts:
            names = [str(number) for number in range(start, end)]
            yield "train", Chunk(images[start:end], labels[start:end], names, start)

    folder = tmp_path / str(time.monotonic_ns())
    train = prepare(folder, lambda: Reading(CLASSES, {}, joint=joint)).splits["train"]
    assert np.array_equal(train.images, images)
    assert train.known_labels().tolist() == labels.tolist()
    assert train.sources == [str(number) for number in range(count)]


FILES = [
    "train.images.npy",
    "train.labels.bin",
    "train.sources.json",
    "test.images.npy",
    "test.labels.bin",
    "index.json",
]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def blank(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [cut, flip, empty, blank, Path.unlink])
def test_a_damaged_set_is_prepared_anew(tmp_path: Path, file: str, damage: Callable[[Path], None]) -> None:
    prepare(tmp_path)
    damage(tmp_path / "prepared/pets-1" / file)
    check(prepare(tmp_path))
    check(prepare(tmp_path, never))


def test_a_large_file_of_pictures_that_was_partly_lost_is_noticed(tmp_path: Path) -> None:
    def reading() -> Reading:
        images = images_of(200, shape=(3, 64, 64))
        return Reading(CLASSES, {"train": lambda: iter([Chunk(images, np.zeros(200, np.int64))])})

    prepare(tmp_path, reading)
    path = tmp_path / "prepared/pets-1/train.images.npy"
    content = path.read_bytes()
    for start in range(0, len(content) - 200_000, 200_000):
        # What a crash of the system leaves: zeros where pages were never written.
        path.write_bytes(content[:start] + bytes(200_000) + content[start + 200_000 :])
        with pytest.raises(AssertionError, match="read again"):
            prepare(tmp_path, never)
    path.write_bytes(content)
    prepare(tmp_path, never)


def test_damage_between_the_samples_is_noticed_where_all_is_compared_and_mended(tmp_path: Path) -> None:
    def reading() -> Reading:
        chunk = Chunk(images_of(200, shape=(3, 64, 64)), np.zeros(200, np.int64))
        return Reading(CLASSES, {"train": lambda: iter([chunk])})

    def thorough(read: Callable[[], Reading]) -> Dataset:
        return cache.prepared("pets-1", read, tmp_path, "pets", {}, on_damage=told.append)

    told: list[str] = []
    intact = prepare(tmp_path, reading).splits["train"].fingerprint()
    thorough(never)
    assert told == []
    path = tmp_path / "prepared/pets-1/train.images.npy"
    content = path.read_bytes()
    start = (len(content) - 4096) * 10 // 63 + 5096
    path.write_bytes(content[:start] + bytes(20_000) + content[start + 20_000 :])
    prepare(tmp_path, never)  # looks at samples alone
    assert thorough(reading).splits["train"].fingerprint() == intact
    assert told == [f"pets: the pictures in {path.parent} are not as they were written; they are prepared anew"]
    assert prepare(tmp_path, never).splits["train"].fingerprint() == intact


def test_rubbish_in_the_index_is_prepared_anew(tmp_path: Path) -> None:
    prepare(tmp_path)
    index = tmp_path / "prepared/pets-1/index.json"
    for content in ("[]", "{}", "null", '"a"', '{"digest": 1}', "{", "\0", '{"digest": "", "layout": []}'):
        index.write_text(content)
        check(prepare(tmp_path))


def test_a_set_of_another_version_is_prepared_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LAYOUT", "0 of an older one")
    prepare(tmp_path, lambda: make_reading(6, seed=5))
    prepare(tmp_path, never)
    monkeypatch.undo()
    check(prepare(tmp_path))


def test_a_source_that_changed_is_prepared_anew_in_the_same_place(tmp_path: Path) -> None:
    old = prepare(tmp_path, lambda: make_reading(6, seed=5), state="monday")
    check(prepare(tmp_path, state="tuesday"))
    check(prepare(tmp_path, never, state="tuesday"))
    check(old, 6, seed=5)  # who has the old one open keeps it
    assert len([path for path in (tmp_path / "prepared").iterdir() if path.is_dir()]) == 1


def test_something_else_in_its_place_is_replaced(tmp_path: Path) -> None:
    for content in (["file"], []):
        place = tmp_path / "prepared/pets-1"
        place.mkdir(parents=True, exist_ok=True)
        for name in content:
            (place / name).write_text("x")
        check(prepare(tmp_path))


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([], "pets has no pictures that can be used"),
        ([Chunk(images_of(2), np.array([0, 3]))], "pets/train: labels from 0 to 3 for 3 classes"),
        ([Chunk(images_of(2), np.array([-1, 0]))], "pets/train: labels from -1 to 0"),
        ([Chunk(images_of(2), np.array([0]))], "pets/train: 2 pictures but 1 labels"),
        ([Chunk(images_of(2), np.array([0, 1]), ["a"])], "pets/train: 2 pictures"),
        ([Chunk(images_of(1), np.array([0]), ["a"]), Chunk(images_of(1), np.array([0]))], "2 pictures but 1 names"),
        ([Chunk(images_of(1), np.array([0])), Chunk(images_of(1, 0, (3, 5, 4)), np.array([0]))], r"\[3, 5, 4\] among"),
        ([Chunk(images_of(1), np.array([0]), None, 1)], "pets/train: picture 0 is missing"),
        ([Chunk(images_of(2), np.array([0, 0]), None, 0), Chunk(images_of(1), np.array([0]), None, 1)], "there twice"),
        ([Chunk(images_of(2), np.array([0, 0]), None, 0), Chunk(images_of(1), np.array([0]), None, 3)], "2 is missing"),
    ],
)
def test_a_reading_that_contradicts_itself_is_refused_and_leaves_nothing(
    tmp_path: Path, chunks: list[Chunk], why: str
) -> None:
    with pytest.raises(InputError, match=why):
        prepare(tmp_path, lambda: Reading(CLASSES, {"train": lambda: iter(chunks)}))
    assert [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()] == []


def test_a_set_of_unusable_pictures_says_why(tmp_path: Path) -> None:
    reading = Reading(CLASSES, {"train": lambda: iter(())}, skipped=[Skipped("a.png", "it is empty")])
    with pytest.raises(InputError, match=r"^pets has no pictures that can be used \(a.png: it is empty\)$"):
        prepare(tmp_path, lambda: reading)
    with pytest.raises(InputError, match="no pictures"):
        cache.in_memory(reading, "pets", {})


def test_an_error_of_the_reader_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Chunk]:
        yield Chunk(images_of(2), np.array([0, 1]))
        raise InputError("the archive is damaged")

    with pytest.raises(InputError, match=r"^the archive is damaged$"):
        prepare(tmp_path, lambda: Reading(CLASSES, {"train": broken}))
    assert [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()] == []
    check(prepare(tmp_path))


def test_a_cache_that_cannot_be_written_to_gives_one_line_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RetinulaError) as caught:
        prepare(tmp_path / "file")
    message = str(caught.value)
    assert message.startswith(f"cannot write {tmp_path / 'file'}")
    assert "Not a directory; make room, or name another folder in RETINULA_CACHE" in message
    assert "\n" not in message


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from retinula.errors import RetinulaError
from small_sets import prepare
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    prepare(Path(sys.argv[1]))
except RetinulaError as error:
    print(error)
"""

SLOW = """
import sys
from pathlib import Path
from small_sets import prepare_slowly
prepare_slowly(Path(sys.argv[1]), float(sys.argv[2]))
"""


def run(code: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def output(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def test_a_full_disk_gives_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    message = output(run(FULL_DISK, tmp_path))
    assert message.startswith(f"cannot write {tmp_path / 'prepared/pets-1'}: File too large; make room")
    assert message.count("\n") == 1
    assert [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()] == []


def times_read(folder: Path) -> int:
    return len(list(folder.glob("reading-*")))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_of_processes_that_want_the_same_set_one_prepares_it(tmp_path: Path) -> None:
    processes = [run(SLOW, tmp_path, "0.05") for _ in range(3)]
    assert [output(process) for process in processes] == ["right\n"] * 3
    assert times_read(tmp_path) == 1
    check(prepare(tmp_path, never))


def test_a_process_killed_while_writing_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "prepared"
    for number in range(2):
        process = run(SLOW, tmp_path, "30")
        wait_until(lambda number=number: times_read(tmp_path) == number + 1)  # type: ignore[misc] # cannot be inferred
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert not (folder / "pets-1").exists()
    left = [path for path in folder.iterdir() if path.is_dir()]
    assert len(left) == 2
    check(prepare(tmp_path))
    # What was left is not touched as long as its process could be alive, and removed later.
    assert all(path.exists() for path in left)
    monkeypatch.setattr("retinula.files.durable._ABANDONED_SECONDS", -60)
    (folder / "pets-1/index.json").unlink()
    check(prepare(tmp_path))
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["pets-1"]


def test_a_process_killed_at_any_moment_leaves_nothing_or_a_whole_set(tmp_path: Path) -> None:
    delays = [0.0, 0.02, 0.04, 0.06]
    processes = [run(SLOW, tmp_path / str(number), "0.005") for number in range(len(delays))]
    for number, (process, delay) in enumerate(zip(processes, delays, strict=True)):
        folder = tmp_path / str(number)
        folder.mkdir(exist_ok=True)
        wait_until(lambda folder=folder, process=process: times_read(folder) > 0 or process.poll() is not None)  # type: ignore[misc] # cannot be inferred
        time.sleep(delay)
        process.kill()
        process.communicate(timeout=30)
        whole = (folder / "prepared/pets-1").exists()
        check(prepare(folder, never if whole else make_reading))


@contextmanager
def no_lock(*_: object, **__: object) -> Iterator[bool]:
    yield False


def test_it_is_right_without_locks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "locked", no_lock)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        together = threading.Barrier(4)
        opened: list[int] = []
        results: list[Dataset] = []

        def reading(together: threading.Barrier = together, opened: list[int] = opened) -> Reading:
            together.wait(timeout=30)
            return make_reading(opened=opened)

        def work(
            folder: Path = folder, results: list[Dataset] = results, reading: Callable[[], Reading] = reading
        ) -> None:
            results.append(prepare(folder, reading))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == len(results) == 4
        for dataset in results:
            check(dataset)
        check(prepare(folder, never))
        assert [path.name for path in (folder / "prepared").iterdir()] == ["pets-1"]


def test_a_stuck_process_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    (tmp_path / "prepared").mkdir()
    monkeypatch.setattr(cache, "locked", partial(locked, patience=0.1))
    with locked(tmp_path / "prepared/.pets-1.lock") as held:
        assert held
        dataset = cache.prepared(
            "pets-1", make_reading, tmp_path, "pets", {}, progress=lambda what, *_: told.append(what)
        )
    check(dataset)
    assert told[0] == "waiting for another process that prepares pets"


@pytest.mark.parametrize("error", [OSError("no locks here"), NotImplementedError()])
def test_a_file_system_without_locks_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    check(prepare(tmp_path))
    check(prepare(tmp_path, never))


def test_progress_counts_pictures(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    cache.prepared("a", make_reading, tmp_path, "pets", {}, progress=lambda *words: told.append(words), num_images=11)
    assert told == [("preparing pets", done, 11) for done in (4, 8, 10, 11)]


def test_pictures_are_never_all_in_memory(tmp_path: Path) -> None:
    def train() -> Iterator[Chunk]:
        for number in range(60):
            yield Chunk(np.full((100, 3, 64, 64), number, np.uint8), np.zeros(100, np.int64))

    tracemalloc.start()
    try:
        images = prepare(tmp_path, lambda: Reading(CLASSES, {"train": train})).splits["train"].images
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert images.nbytes == 73_728_000
    assert peak < 8_000_000
    assert images[::100, 0, 0, 0].tolist() == list(range(60))


def test_a_small_set_can_stay_in_memory(tmp_path: Path) -> None:
    dataset = cache.in_memory(make_reading(), "pets", {"copy": "own files"})
    check(dataset)
    assert dataset.skipped == (Skipped("bad.png", "it is empty"),)
    assert dataset.splits["test"].name == "pets/test"
    assert dataset.splits["test"].provenance == {"copy": "own files"}


def test_opening_takes_less_than_a_tenth_of_a_second(tmp_path: Path) -> None:
    names = [f"picture_{number}.png" for number in range(60_000)]
    images = np.zeros((60_000, 1, 28, 28), np.uint8)
    reading = Reading(CLASSES, {"train": lambda: iter([Chunk(images, np.zeros(60_000, np.int64), names)])})
    prepare(tmp_path, lambda: reading)
    seconds = []
    for _ in range(5):
        # Of this process: others may keep the processor busy.
        start = time.process_time()
        prepare(tmp_path, never)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1


def test_the_index_says_what_is_there(tmp_path: Path) -> None:
    prepare(tmp_path)
    index = json.loads((tmp_path / "prepared/pets-1/index.json").read_text())
    assert index["splits"]["train"]["shape"] == [10, 3, 4, 5]
    assert index["classes"] == list(CLASSES)
    assert index["provenance"] == {"copy": "own files"}
