import numpy as np
import pytest

from retinula.datasets import shapes
from retinula.datasets.reading import Reading, SplitName
from retinula.errors import InputError
from retinula.images import Images, Labels


def gathered(reading: Reading, split: SplitName) -> tuple[Images, Labels, list[str]]:
    chunks = list(reading.splits[split]())
    sources = [source for chunk in chunks for source in chunk.sources or []]
    return np.concatenate([chunk.images for chunk in chunks]), np.concatenate([c.labels for c in chunks]), sources


def test_shapes_dtypes_and_names() -> None:
    reading = shapes.read(700, 40, size=(16, 24))
    assert reading.classes == ("bar", "circle", "cross", "diamond", "ring", "square", "star", "triangle")
    assert reading.skipped == []
    images, labels, sources = gathered(reading, "train")
    assert images.dtype == np.uint8
    assert images.shape == (700, 3, 16, 24)
    assert labels.dtype == np.int64
    assert labels.shape == (700,)
    assert sources[0] == "train/0"
    assert sources[699] == "train/699"
    assert gathered(reading, "test")[0].shape == (40, 3, 16, 24)


def test_streams_in_pieces() -> None:
    assert [len(chunk.images) for chunk in shapes.read(600, 1).splits["train"]()] == [256, 256, 88]


def test_every_eight_hold_every_class() -> None:
    labels = gathered(shapes.read(800, 80), "train")[1]
    for start in range(0, 800, 8):
        assert sorted(labels[start : start + 8].tolist()) == list(range(8))


def test_a_picture_depends_on_its_number_only() -> None:
    short, long = shapes.read(300, 20), shapes.read(1000, 700)
    for split, count in (("train", 300), ("test", 20)):
        few, some = gathered(short, split), gathered(long, split)  # type: ignore[arg-type]  # names of splits
        assert np.array_equal(few[0], some[0][:count])
        assert np.array_equal(few[1], some[1][:count])


def test_opened_again_it_is_the_same() -> None:
    reading = shapes.read(50, 5)
    assert np.array_equal(gathered(reading, "train")[0], gathered(reading, "train")[0])


def test_seeds_and_splits_differ() -> None:
    one, other = shapes.read(256, 256, seed=0), shapes.read(256, 256, seed=1)
    pictures = [gathered(one, "train")[0], gathered(one, "test")[0], gathered(other, "train")[0]]
    distinct = {picture.tobytes() for part in pictures for picture in part}
    assert len(distinct) == 3 * 256


@pytest.mark.parametrize("channels", [1, 3])
def test_the_shape_stands_out_in_every_channel(channels: int) -> None:
    # Centre and corner of a large circle differ by 96 to 160 steps, whatever the colours.
    images, labels, _ = gathered(shapes.read(512, 0, size=(64, 64), channels=channels), "train")
    assert images.shape[1] == channels
    circles = images[labels == 1].astype(float)
    darkest, brightest = np.percentile(circles.reshape(len(circles), channels, -1), (2, 98), axis=2)
    assert (brightest - darkest).min() > 60


def test_outlines() -> None:
    # Seen from the centre in radii: to the right, above, on the diagonal; negative is inside.
    right = np.array([[0.0, 0.9, 0.0, 0.5, 0.0]], dtype=np.float32)
    up = np.array([[0.0, 0.0, 0.9, 0.5, -0.9]], dtype=np.float32)
    inside = {name: (outline(right, up) < 0).ravel().tolist() for name, outline in shapes._OUTLINES.items()}
    assert inside == {
        "bar": [True, True, False, False, False],
        "circle": [True, False, False, True, False],
        "cross": [True, True, True, False, True],
        "diamond": [True, True, True, True, True],
        "ring": [False, True, True, True, True],
        "square": [True, False, False, True, False],
        "star": [True, False, True, False, False],
        "triangle": [True, False, True, False, False],
    }


def test_the_shape_covers_what_its_formula_says() -> None:
    # Without noise a circle of 0.85 radii covers pi * 0.85^2 radii squared: measured over many, in the mean.
    images, labels, _ = gathered(shapes.read(2048, 0, size=(64, 64), channels=1), "train")
    shares = []
    for picture in images[labels == 1][:, 0].astype(float):
        border = np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]))
        shares.append((np.abs(picture - border) > 60).mean())
    expected = np.pi * 0.85**2 * np.mean(np.linspace(0.28, 0.42, 1001) ** 2)
    assert np.mean(shares) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_train": 0}, "at least one picture"),
        ({"num_test": -1}, "at least one picture"),
        ({"size": (7, 32)}, "8 x 8"),
        ({"size": (32, 1025)}, "1024 x 1024"),
        ({"channels": 2}, "1 or 3"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_wrong_arguments(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shapes.read(**arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_no_pictures_to_test_on() -> None:
    assert list(shapes.read(8, 0).splits) == ["train"]
