"""Parity passes what says the same and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from retinula.errors import InputError, RetinulaError
from retinula.export import parity
from retinula.export.parity import (
    NUM_IMAGES,
    NUM_PHOTOS,
    ROUNDING,
    Judged,
    Photo,
    Proof,
    as_photo,
    check_parity,
    proof_of,
)
from retinula.images import Images, ImageSet
from retinula.models.catalog import build
from retinula.trained.familiarity import Familiarity, energy
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

RANDOM = np.random.default_rng(0)
SET = ImageSet(RANDOM.integers(0, 256, (30, 1, 16, 16), dtype=np.uint8), None, ("a", "b", "c"), "made/test")


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    network = build("cifar10-augmented", num_classes=3, channels=1, size=(16, 16)).eval()
    return Model(network, "cifar10-augmented", {}, SET.classes, Preprocess(1, (16, 16), (0.5,), (0.2,)))


@pytest.fixture(scope="module")
def proof() -> Proof:
    return proof_of(SET)


def test_the_proof_is_spread_over_the_set_and_has_photos_of_many_sizes(proof: Proof) -> None:
    assert np.array_equal(proof.images, SET.images)
    assert len(list(proof.photos)) == NUM_PHOTOS
    assert len({photo.shape for photo in proof.photos}) == NUM_PHOTOS
    assert {photo.shape[2] for photo in proof.photos} == {3}
    assert max(max(photo.shape) for photo in proof.photos) > 1000
    many = ImageSet(np.zeros((3000, 1, 2, 2), np.uint8), None, ("a", "b"), "many")
    many.images[:, 0, 0, 0] = np.arange(3000) // 12
    chosen = proof_of(many).images
    assert len(chosen) == NUM_IMAGES
    assert len(np.unique(chosen[:, 0, 0, 0])) == 250
    given = [np.zeros((5, 6, 3), np.uint8)]
    assert proof_of(SET, given, "mine").photos_source == "mine"
    with pytest.raises(InputError, match="no pictures to prove"):
        proof_of(SET.take(np.arange(0)))


def test_photos_too_large_are_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "MOST_PIXELS", 1200)
    shapes = {
        (width, height): as_photo(Image.new("L", (width, height), 7)).shape
        for width, height in ((40, 30), (41, 30), (80, 60), (81, 60), (1, 1))
    }
    assert shapes == {
        (40, 30): (30, 40, 3),
        (41, 30): (15, 21, 3),
        (80, 60): (30, 40, 3),
        (81, 60): (20, 27, 3),
        (1, 1): (1, 1, 3),
    }


def test_photos_may_come_one_by_one(model: Model, proof: Proof) -> None:
    def judge_photo(photo: Photo) -> Judged:
        return model.judge(model.shrink(Image.fromarray(photo))[None])

    once = proof_of(SET, iter(proof.photos), "mine")
    shown = check_parity(model, once, model.judge, judge_photo)
    assert (shown.num_photos, shown.photos_source) == (NUM_PHOTOS, "mine")


def test_the_model_agrees_with_itself(model: Model, proof: Proof) -> None:
    def judge_photo(photo: Photo) -> Judged:
        return model.judge(model.shrink(Image.fromarray(photo))[None])

    parity = check_parity(model, proof, model.judge, judge_photo)
    assert (parity.num_images, parity.num_photos) == (30, NUM_PHOTOS)
    assert parity.same_top_class == 30 + NUM_PHOTOS
    assert parity.largest_difference < 1e-6
    assert check_parity(model, proof, model.judge).num_photos == 0


@pytest.mark.parametrize("by", [1.1e-4, -0.5, np.nan])
def test_one_value_of_one_picture_is_enough_to_fail(model: Model, proof: Proof, by: float) -> None:
    def judge(images: Images) -> Judged:
        probabilities = model.probs(images)
        probabilities[17, 2] += by
        return probabilities, None

    with pytest.raises(RetinulaError, match="the export fails: a value differs by"):
        check_parity(model, proof, judge)


def test_one_other_class_is_enough_to_fail(model: Model, proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    level = np.full((30, 3), 1 / 3, np.float32)
    level[:, 0] += 1e-5
    monkeypatch.setattr(Model, "probs", lambda self, images: level.copy())

    def judge(images: Images) -> Judged:
        other = level.copy()
        other[4, 1] += 2e-5
        return other, None

    with pytest.raises(RetinulaError, match="likeliest class differs on 1 of 30 pictures"):
        check_parity(model, proof, judge)


def test_a_photo_is_enough_to_fail(model: Model, proof: Proof) -> None:
    with pytest.raises(RetinulaError, match="a value differs"):
        check_parity(model, proof, model.judge, lambda photo: model.judge(np.zeros((1, 1, 16, 16), np.uint8)))


def test_another_form_fails(model: Model, proof: Proof) -> None:
    with pytest.raises(RetinulaError, match=r"gives \[30, 2\] instead of \[30, 3\]"):
        check_parity(model, proof, lambda images: (model.probs(images)[:, :2], None))


def knowing(model: Model, image: int, by: float, *, by_energy: bool) -> Model:
    """A model one of whose limits lies so far from what it thinks of one picture; it looks at brightness alone."""
    look = ((1.0, *(0.0,) * 15), *((0.0,) * 16,) * 15)
    known = Familiarity((0.0,) * 16, look, farthest=2.0, least_energy=None, accepted=0.99)
    if by_energy:
        found = energy(model.outputs(SET.images))[image].item()
        known = replace(known, least_energy=found + by)
    else:
        found = known.distances(torch.from_numpy(SET.images))[image].item()
        known = replace(known, farthest=found + by)
    return replace(model, familiarity=known)


@pytest.mark.parametrize("by_energy", [False, True])
def test_what_is_unfamiliar_is_the_same(model: Model, proof: Proof, by_energy: bool) -> None:
    aware = knowing(model, 7, 0, by_energy=by_energy)

    def judge_photo(photo: Photo) -> Judged:
        return aware.judge(aware.shrink(Image.fromarray(photo))[None])

    told = check_parity(aware, proof, aware.judge, judge_photo).unfamiliar
    assert told is not None
    assert told.num_pictures == told.same == 30 + NUM_PHOTOS + len(proof.strange)
    assert 0 < told.num_unfamiliar < told.num_pictures
    assert check_parity(aware, proof, lambda images: (aware.probs(images), None)).unfamiliar is None


@pytest.mark.parametrize("by_energy", [False, True])
@pytest.mark.parametrize("by", [-2.0, -0.5, 0.5, 2.0])
def test_another_word_on_one_picture_fails_but_at_a_limit(
    model: Model, proof: Proof, by: float, by_energy: bool
) -> None:
    aware = knowing(model, 7, by * ROUNDING, by_energy=by_energy)

    def judge(images: Images) -> Judged:
        probabilities, unfamiliar = aware.judge(images)
        assert unfamiliar is not None
        if len(images) == 30:
            unfamiliar[7] ^= True
        return probabilities, unfamiliar

    if abs(by) > 1:
        with pytest.raises(RetinulaError, match="whether a picture is unfamiliar differs on 1 of 90 pictures"):
            check_parity(aware, proof, judge)
    else:
        told = check_parity(aware, proof, judge).unfamiliar
        assert told is not None
        assert (told.num_pictures, told.same) == (90, 89)


def test_a_word_on_a_strange_picture_or_a_photo_is_enough_to_fail(model: Model, proof: Proof) -> None:
    aware = knowing(model, 7, 0, by_energy=False)

    def turned(images: Images) -> Judged:
        probabilities, unfamiliar = aware.judge(images)
        return probabilities, ~np.asarray(unfamiliar)

    def judge_photo(photo: Photo) -> Judged:
        return turned(aware.shrink(Image.fromarray(photo))[None])

    with pytest.raises(RetinulaError, match=f"differs on {NUM_PHOTOS} of 110 pictures"):
        check_parity(aware, proof, aware.judge, judge_photo)
    with pytest.raises(RetinulaError, match=r"differs on [56]\d of 90 pictures"):
        check_parity(aware, proof, lambda images: (turned if len(images) == 60 else aware.judge)(images))


def test_a_word_of_what_the_model_cannot_tell_fails(model: Model, proof: Proof) -> None:
    with pytest.raises(RetinulaError, match="the model does not"):
        check_parity(model, proof, lambda images: (model.probs(images), np.zeros(len(images), np.bool_)))
