"""What is fitted to a trained model is said as it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from familiarity_checks import TOLD, unlike_photos
from retinula.datasets.load import load
from retinula.evaluation import trust
from retinula.evaluation.recognised import NOTHING_KNOWN, Learned
from retinula.evaluation.trust import made_trustworthy
from retinula.images import ImageSet, copied
from retinula.trained.familiarity import picture_statistics
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

CLASSES = ("ant", "bee")
TELLS_NOTHING = (
    "it cannot tell unfamiliar pictures: "
    "that needs 100 training pictures, and 100 for validation or as many different ones more to train on"
)


class Sure(nn.Module):
    """Names the class that the first pixel has, by so much."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        bright = inputs[:, 0, 0, 0] - 0.5
        return self.factor * torch.stack((-bright, bright), dim=1)


def zoo(number: int) -> ImageSet:
    """Pictures of noise, of which the classes take turns, so that the first pixel tells them."""
    images = np.random.default_rng(0).integers(0, 256, (number, 1, 8, 8), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(number) % 2 * 255
    return ImageSet(images, np.arange(number) % 2, CLASSES, "zoo")


def trusted(
    factor: float, train_set: ImageSet, validation_set: ImageSet | None, learned: Learned = NOTHING_KNOWN
) -> tuple[Model, list[str]]:
    """A network that is sure by so much, and what is said of it."""
    channels, *size = train_set.shape
    preprocess = Preprocess(channels, (size[0], size[1]), mean=(0.0,) * channels, std=(1.0,) * channels)
    model = Model(network=Sure(factor), network_name="residual", arguments={}, classes=CLASSES, preprocess=preprocess)
    said: list[str] = []
    return made_trustworthy(model, train_set, validation_set, learned, said.append), said


def lines(factor: float, number: int = 120) -> list[str]:
    """What is said of it on pictures whose labels are right every time."""
    return trusted(factor, zoo(number), zoo(number))[1]


def test_the_share_of_familiar_pictures_is_called_what_the_limits_were_set_for() -> None:
    assert lines(4.0)[1] == "threshold for unfamiliar pictures set: 99.2 % of the validation pictures count as familiar"
    assert lines(4.0, 60)[1] == TELLS_NOTHING


@pytest.mark.parametrize(
    ("num_validation", "reason"), [(0, "no validation pictures"), (60, "only 60 validation pictures")]
)
def test_without_enough_validation_pictures_the_look_of_others_sets_a_limit(num_validation: int, reason: str) -> None:
    pictures = zoo(300)
    model, said = trusted(4.0, pictures, zoo(num_validation) if num_validation else None)
    alone = f"threshold for unfamiliar pictures set by the look of pictures alone ({reason})"
    assert said[1] == f"{alone}: 98.7 % of 150 training pictures kept for it count as familiar"
    assert model.familiarity is not None
    assert model.familiarity.least_energy is None
    assert trusted(4.0, pictures, None)[0].familiarity == model.familiarity


def test_what_it_has_learned_all_the_same_has_no_part_in_what_is_fitted() -> None:
    mixed = zoo(240)
    known = np.arange(240) >= 120  # right every time, as what is known by heart is; of the others every tenth is wrong
    labels = np.where(~known & (np.arange(240) % 10 < 1), 1 - mixed.known_labels(), mixed.known_labels())
    mixed = replace(mixed, labels=labels)
    model, said = trusted(4.0, zoo(300), mixed, Learned(each=known))
    alone, said_alone = trusted(4.0, zoo(300), mixed.take(~known))
    assert model.temperature == alone.temperature > 1
    assert model.familiarity == alone.familiarity
    assert said[0] == f"{said_alone[0]}; 120 more were learned, here or in what it began from, and left out"
    assert trusted(4.0, zoo(300), mixed)[0].temperature < alone.temperature


@pytest.mark.parametrize(
    ("learned", "number", "few", "more"),
    [
        (Learned(from_these=True), 0, "no validation pictures", "120 more were"),
        (Learned(each=np.arange(120) >= 30), 30, "only 30 validation pictures", "90 more were"),
        (Learned(each=np.arange(120) >= 30, at_least=True), 30, "only 30 validation pictures", "90 more were"),
    ],
)
def test_where_it_has_learned_nearly_all_nothing_is_fitted_on_them(
    learned: Learned, number: int, few: str, more: str
) -> None:
    model, said = trusted(4.0, zoo(300), zoo(120), learned)
    reason = f"{number} validation pictures are too few (at least 50); {more} learned, here or in what it began from, "
    assert said[0] == f"temperature 1, nothing fitted: {reason}and left out"
    assert model.provenance["calibration"]["reason"] == f"{reason}and left out"
    assert f"by the look of pictures alone ({few} that it has not learned): " in said[1]
    assert model.temperature == 1
    assert model.familiarity is not None
    assert model.familiarity.least_energy is None


def test_where_nobody_knows_what_was_learned_before_the_fit_is_doubted() -> None:
    model, said = trusted(4.0, zoo(300), zoo(120), Learned(at_least=True))
    sure, plain = trusted(4.0, zoo(300), zoo(120))
    assert model.temperature == sure.temperature != 1
    assert said[0] == (
        f"{plain[0]}; what it began from may have learned some of them, so its probabilities may be too sure"
    )


def test_means_are_those_of_training_pictures() -> None:
    dark = replace(zoo(200), images=zoo(200).images // 4)
    familiarity = trusted(4.0, dark, zoo(200))[0].familiarity
    assert familiarity is not None
    assert familiarity.means[0] == pytest.approx(dark.images.mean() / 255)


def test_of_many_pictures_some_are_looked_at_a_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = ((zoo(200), zoo(300)), (zoo(300), None))
    whole = [trusted(4.0, *each)[0].familiarity for each in sets]
    monkeypatch.setattr(trust, "AT_ONCE", 64)
    assert [trusted(4.0, *each)[0].familiarity for each in sets] == whole
    monkeypatch.setattr(trust, "VALIDATION_PICTURES", 150)
    limits = trusted(4.0, *sets[0])[1][1]
    assert limits == "threshold for unfamiliar pictures set: 99.3 % of the validation pictures count as familiar"


def test_answers_that_are_no_numbers_have_no_part_in_it() -> None:
    assert "answers to the validation pictures are not finite numbers): " in lines(float("nan"), 300)[1]


@pytest.mark.parametrize("darker", [slice(0, 300, 2), slice(150)], ids=["in turns", "in blocks"])
def test_the_limit_is_set_on_pictures_that_the_means_do_not_come_of(darker: slice) -> None:
    images = zoo(300).images.copy()
    images[darker] //= 4  # as much of either kind must lie on both sides, however they are arranged
    familiarity = trusted(4.0, replace(zoo(300), images=images), None)[0].familiarity
    assert familiarity is not None
    means = picture_statistics(torch.from_numpy(images)).mean(dim=0)
    assert torch.tensor(familiarity.means)[0] == pytest.approx(means[0].item(), rel=0.15)
    assert familiarity.means[0] != pytest.approx(means[0].item(), rel=1e-6)
    assert (familiarity.distances(torch.from_numpy(images)) > familiarity.farthest).double().mean() <= 0.02


def test_copies_of_pictures_are_none_to_learn_from() -> None:
    few = zoo(120)
    images = np.concatenate([few.images, few.images[:, :, :, ::-1], few.images])
    copies = ImageSet(images, np.tile(np.arange(120) % 2, 3), CLASSES, "zoo")
    assert trusted(4.0, copies, None)[1][1] == TELLS_NOTHING
    assert trusted(4.0, zoo(199), None)[0].familiarity is None
    assert trusted(4.0, zoo(200), None)[0].familiarity is not None


@pytest.mark.data
def test_real_photos_pass_and_what_is_none_does_not(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "cifar-10-python.tar.gz").exists():
        pytest.skip("needs cifar-10-python.tar.gz in RETINULA_DATA")
    cifar10 = load("cifar10", search=[real_data], cache_dir=tmp_path, offline=True)
    familiarity = trusted(4.0, cifar10.splits["train"], None)[0].familiarity
    assert familiarity is not None

    def told(pictures: Tensor) -> float:
        return familiarity.unfamiliar(pictures, torch.zeros(len(pictures), 10)).double().mean().item()

    assert 0 <= told(torch.from_numpy(copied(cifar10.splits["test"].images, slice(None)))) <= 0.02
    for kind, pictures in unlike_photos(500).items():
        assert told(pictures) >= TOLD[kind], kind


def test_a_fit_that_ran_away_is_called_so() -> None:
    assert lines(-400.0)[0].startswith(
        "temperature 20.000 (the fit ran away and was stopped there), fitted on 120 validation pictures: calibration"
    )
    assert "ran away" not in lines(4.0)[0]
    assert lines(0.0)[0] == "temperature 1, nothing fitted: no other temperature makes its answers better"
