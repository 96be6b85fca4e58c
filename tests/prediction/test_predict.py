import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from retinula.errors import InputError
from retinula.pictures.views import Views
from retinula.prediction.labels import match_labels, read_labels
from retinula.prediction.predict import Prediction, predict_files
from retinula.prediction.references import Reference, find_pictures
from retinula.trained.familiarity import fit_familiarity, picture_statistics
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
CLASSES = tuple(COLOURS)


class MeanColour(torch.nn.Module):
    """Its logits are twice the means of the channels, and it remembers the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(inputs))
        return 2 * inputs.mean((2, 3))


@pytest.fixture
def model() -> Model:
    preprocess = Preprocess(channels=3, size=(4, 4), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Model(MeanColour(), "cifar10-cnn", {}, CLASSES, preprocess)


def picture(colour: str, size: tuple[int, int] = (9, 7)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


class TestPredictFiles:
    def test_answers_all_classes_the_likeliest_first(self, model: Model, tmp_path: Path) -> None:
        path = tmp_path / "g.png"
        path.write_bytes(picture("green"))
        (prediction,) = predict_files(model, [Reference("g", path)])
        assert prediction.src == "g"
        assert prediction.skipped == ""
        assert [answer.label for answer in prediction.answers] == ["green", "red", "blue"]
        # Softmax of (0, 2, 0): e^2 / (e^2 + 2) = 0.786986
        assert [answer.probability for answer in prediction.answers] == pytest.approx(
            [0.786986, 0.106507, 0.106507], abs=1e-6
        )
        assert prediction.best == prediction.answers[0]

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
    def test_in_order_and_bad_ones_named(self, model: Model, tmp_path: Path, batch_size: int) -> None:
        (tmp_path / "broken.png").write_bytes(b"broken")
        references = []
        for number in range(20):
            match number % 5:
                case 3:
                    references.append(Reference(f"{number}", tmp_path / "broken.png"))
                case 4 if number == 4:
                    references.append(Reference(f"{number}", b"", "the link leads out of the folder"))
                case 4:
                    references.append(Reference(f"{number}", tmp_path / "gone.png"))
                case rest:
                    references.append(Reference(f"{number}", picture(CLASSES[rest], (5 + number, 9))))
        told: list[tuple[str, str]] = []
        result = list(
            predict_files(model, references, batch_size=batch_size, on_skip=lambda *words: told.append(words))
        )
        assert [prediction.src for prediction in result] == [str(number) for number in range(20)]
        for number, prediction in enumerate(result):
            if number % 5 < 3:
                assert prediction.best.label == CLASSES[number % 5]
                assert prediction.skipped == ""
            else:
                assert prediction.answers == ()
        assert told == [(prediction.src, prediction.skipped) for prediction in result if prediction.skipped]
        assert result[3].skipped == "it is not a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM)"
        assert result[4].skipped == "the link leads out of the folder"
        assert result[9].skipped == "no such file or directory"
        batches = model.network.batches
        assert sum(batches) == 12  # type: ignore[arg-type]  # ours, not any module's
        assert len(batches) == -(-12 // batch_size)  # type: ignore[arg-type]  # ours, not any module's

    def test_the_same_as_one_by_one(self, model: Model) -> None:
        generator = np.random.default_rng(0)
        references = []
        for number in range(5):
            buffer = io.BytesIO()
            values = generator.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(values).save(buffer, "PNG")
            references.append(Reference(str(number), buffer.getvalue()))
        for reference, prediction in zip(references, predict_files(model, references), strict=True):
            alone = model.predict(reference.content)
            assert [answer.label for answer in prediction.answers] == [answer.label for answer in alone]
            probabilities = [answer.probability for answer in alone]
            assert [answer.probability for answer in prediction.answers] == pytest.approx(probabilities, abs=1e-6)

    def test_nothing_readable_or_nothing_at_all(self, model: Model) -> None:
        assert list(predict_files(model, [])) == []
        result = list(predict_files(model, [Reference("a", b""), Reference("b", b"x")]))
        assert [bool(prediction.skipped) for prediction in result] == [True, True]

    def test_comes_as_it_is_ready(self, model: Model) -> None:
        stream = predict_files(model, (Reference(str(n), picture("red")) for n in range(10**9)), batch_size=4)
        assert [next(stream).src for _ in range(6)] == [str(number) for number in range(6)]

    def test_a_path_that_cannot_be_looked_at(self, model: Model) -> None:
        name = "x" * 5000
        (prediction,) = predict_files(model, find_pictures([name]))
        assert prediction == Prediction(name, skipped="file name too long")

    def test_wrong_batch_size(self, model: Model) -> None:
        with pytest.raises(InputError, match="at least one picture, not 0"):
            next(predict_files(model, [], batch_size=0))


def data(name: str) -> Path:
    for place in os.environ.get("RETINULA_DATA", "").split(os.pathsep):
        if place and (Path(place) / name).exists():
            return Path(place) / name
    pytest.skip(f"{name} is not in RETINULA_DATA")


@pytest.mark.data
def test_real_photos_and_their_table(model: Model) -> None:
    folder = data("photos-cifar10-classes")
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    references = find_pictures([str(folder)])
    labels = match_labels(references, read_labels(folder / "labels.csv"), classes).labels
    assert len(references) == len(labels) == 59
    for src, label in labels.items():
        assert Path(src).name.split("_")[0] == label
    predictions = list(predict_files(model, references))
    assert [prediction.src for prediction in predictions] == [reference.src for reference in references]
    assert not any(prediction.skipped for prediction in predictions)
    for prediction in predictions:
        assert sum(answer.probability for answer in prediction.answers) == pytest.approx(1, abs=1e-5)


def test_several_crops_are_averaged(model: Model, tmp_path: Path) -> None:
    # A wide picture: red on its left half, blue on its right.
    halves = np.zeros((8, 16, 3), dtype=np.uint8)
    halves[:, :8, 0] = halves[:, 8:, 2] = 255
    Image.fromarray(halves).save(tmp_path / "wide.png")
    Image.fromarray(halves[:, 4:12]).save(tmp_path / "square.png")
    network = model.network
    assert isinstance(network, MeanColour)
    references = find_pictures([str(tmp_path / "square.png"), str(tmp_path / "wide.png")])
    plain = list(predict_files(model, references))
    looking = replace(model, preprocess=replace(model.preprocess, views=Views(crops=3)))
    averaged = list(predict_files(looking, references))
    assert network.batches == [2, 2 * 4]
    assert dict(averaged[0].answers) == pytest.approx(dict(plain[0].answers), abs=1e-5)  # a square is all its crops
    one_side = np.exp([2.0, 0, 0]) / np.exp([2.0, 0, 0]).sum()
    both = np.exp([1.0, 0, 1]) / np.exp([1.0, 0, 1]).sum()
    expected = (2 * both + one_side + one_side[::-1]) / 4
    found = dict(averaged[1].answers)
    assert [found[name] for name in CLASSES] == pytest.approx(expected.tolist(), abs=0.02)
    assert dict(looking.predict(tmp_path / "wide.png")) == pytest.approx(found)
    network.batches.clear()
    again = list(predict_files(looking, references, batch_size=4))
    assert [dict(each.answers) for each in again] == [pytest.approx(dict(each.answers)) for each in averaged]
    assert network.batches == [4, 4]


def test_what_is_unfamiliar_is_told(model: Model, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.randint(90, 160, (200, 3, 4, 4), generator=generator, dtype=torch.uint8)
    familiarity = fit_familiarity(
        picture_statistics(known[:100]), picture_statistics(known[100:]), model.outputs(known[100:].numpy())
    )
    aware = replace(model, familiarity=familiarity)
    for name, pixels in (("white.png", np.full((4, 4, 3), 255, np.uint8)), ("known.png", known[0].permute(1, 2, 0))):
        Image.fromarray(np.asarray(pixels)).save(tmp_path / name)
    references = find_pictures([str(tmp_path / "white.png"), str(tmp_path / "known.png")])
    assert [prediction.unfamiliar for prediction in predict_files(aware, references)] == [True, False]
    assert [prediction.unfamiliar for prediction in predict_files(model, references)] == [None, None]
