from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from retinula import depiction
from retinula.depiction import (
    Drawing,
    NamedPicture,
    depict_attribution,
    depict_exciting,
    depict_features,
    depict_filters,
    depicted_layers,
)
from retinula.errors import InputError
from retinula.explanation.attribution import Attribution
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.pictures.views import Views
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess


@pytest.fixture
def model() -> Model:
    preprocess = Preprocess(3, (16, 16), (0.0,) * 3, (1.0,) * 3, views=Views(crops=5, mirror=True))
    network = build("cifar10-augmented", num_classes=3, channels=3, size=(16, 16))
    return Model(network.eval(), "cifar10-augmented", {}, ("a", "b", "c"), preprocess)


def photo(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def names_of(drawing: Drawing) -> list[str]:
    drawn = list(drawing.figures)
    assert len(drawn) == drawing.number
    assert all(isinstance(figure, Figure) for _, figure in drawn)
    return [name for name, _ in drawn]


def two_pictures() -> Iterator[NamedPicture]:
    yield "my cat.png", photo()
    yield "my cat.jpg", photo(1).convert("L")


def test_pictures_of_the_same_name_have_files_of_their_own(model: Model) -> None:
    assert names_of(depict_attribution(model, two_pictures(), "saliency")) == ["saliency-my cat", "saliency-my cat_2"]


def test_the_classes_asked_about_or_the_likeliest(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    captions: list[list[str]] = []

    def noticed(_seen: object, maps: Any, words: list[str], **_: Any) -> Figure:
        assert maps.shape == (len(words), 16, 16)
        captions.append(words)
        return Figure()

    monkeypatch.setattr(depiction, "attribution", noticed)
    (name, _), *_ = depict_attribution(model, [("x", photo())], "saliency", classes=[2, 0]).figures
    assert name == "saliency-x"
    assert [words.partition(",")[0] for words in captions[0]] == ["c", "a"]
    list(depict_attribution(model, [("x", photo())], "saliency", top=2).figures)
    probabilities = model.probs(model.look_at(photo())).mean(axis=0)
    likeliest = [model.classes[number] for number in np.argsort(-probabilities)[:2]]
    assert [words.partition(",")[0] for words in captions[1]] == likeliest


@pytest.mark.parametrize(
    ("method", "unit", "words"),
    [
        ("hirescam", "share of the logit", "maps of the layer pool2"),
        ("gradcam", "share of the logit", "maps of the layer pool2"),
        ("saliency", "slope of the logit", "whichever way"),
        ("integrated-gradients", "share of the logit", "a picture of {colour} ("),
        ("occlusion", "change of the logit", "a patch of {colour} covers it"),
    ],
)
def test_unit_and_colour_are_told_as_they_are(
    model: Model, monkeypatch: pytest.MonkeyPatch, method: Attribution, unit: str, words: str
) -> None:
    told: list[dict[str, str]] = []

    def noticed(*_: object, **asked: str) -> Figure:
        told.append(asked)
        return Figure()

    monkeypatch.setattr(depiction, "attribution", noticed)
    knowing = replace(model, preprocess=replace(model.preprocess, mean=(0.5, 0.4, 0.3)))
    for each, colour in ((model, "a middle grey"), (knowing, "the mean colour")):
        list(depict_attribution(each, [("x", photo())], method, top=1).figures)
        assert told[-1]["unit"] == unit
        assert words.format(colour=colour) in told[-1]["remark"]


def test_features_look_at_one_view(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("all views were made")

    monkeypatch.setattr(Preprocess, "look_at", refused)
    drawing = depict_features(model, [("x.png", photo())])
    assert names_of(drawing) == ["features-x", "features-x-conv1", "features-x-conv2"]
    assert names_of(depict_features(model, [("x.png", photo())], "conv2")) == ["features-x-conv2"]


def test_nothing_is_drawn_before_it_is_asked_for(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def sheet(*_: object, layer: str, **__: object) -> Figure:
        drawn.append(layer)
        return Figure()

    monkeypatch.setattr(depiction, "filter_sheet", sheet)
    figures, number = depict_filters(model)
    assert (number, drawn) == (2, [])
    next(figures)
    assert drawn == ["conv1"]


def test_convolutions_that_lack_the_channel_are_told(model: Model) -> None:
    told: list[str] = []
    assert names_of(depict_filters(model, channel=5, tell=told.append)) == ["filters-conv2-channel-5"]
    assert told == ["left out, as their filters see no channel 5: conv1"]


@pytest.mark.parametrize("labels", [np.arange(4) % 3, None])
def test_pictures_that_excite_every_convolution(model: Model, labels: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    image_set = ImageSet(images, labels, classes=model.classes, name="made")
    assert names_of(depict_exciting(model, image_set)) == ["exciting-conv1", "exciting-conv2"]
    assert names_of(depict_exciting(model, image_set, "conv2")) == ["exciting-conv2"]


def test_a_wrong_layer_or_none_at_all_is_refused_before_pictures_are_taken(model: Model) -> None:
    untouched = (pytest.fail("a picture was taken") for _ in range(1))
    with pytest.raises(InputError, match="no layer 'conv3'"):
        depict_features(model, untouched, "conv3")
    flat = replace(model, network=nn.Sequential(nn.Flatten(), nn.Linear(768, 3)))
    with pytest.raises(InputError, match="cifar10-augmented has no convolution to look at"):
        depict_features(flat, untouched)
    with pytest.raises(InputError, match="no convolution to look at; choose saliency"):
        depict_attribution(flat, untouched)
    with pytest.raises(InputError, match="no convolution to look at"):
        depicted_layers(flat)


@pytest.mark.parametrize("asked", [{"top": 0}, {"top": -1}, {"classes": []}])
def test_no_class_at_all_is_refused_at_once(model: Model, asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="ask about one class at least"):
        depict_attribution(model, two_pictures(), "saliency", **asked)


def test_pictures_of_another_form_are_refused_before_anything_is_drawn(model: Model) -> None:
    grey = ImageSet(np.zeros((4, 1, 16, 16), np.uint8), np.zeros(4, np.int64), ("a",), "grey/test")
    with pytest.raises(InputError, match="grey/test"):
        depict_exciting(model, grey)


def test_boxes_in_the_names_of_classes_are_explained(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    remarks: list[str] = []

    def noticed(*_: object, remark: str, **__: object) -> Figure:
        remarks.append(remark)
        return Figure()

    monkeypatch.setattr(depiction, "attribution", noticed)
    monkeypatch.setattr(depiction, "exciting_sheet", noticed)
    nushu = replace(model, classes=("a", chr(0x1B170), "c"))  # in no font of an ordinary system
    pictures = ImageSet(np.zeros((2, 3, 16, 16), dtype=np.uint8), np.array([0, 1]), nushu.classes, "mine")
    for classes in ([0], [0, 1]):
        names_of(depict_attribution(nushu, [("x.png", photo())], "saliency", classes=classes))
    names_of(depict_exciting(nushu, pictures, depicted_layers(model)[0]))
    assert ["is a letter that no font here has" in remark for remark in remarks] == [False, True, True]
