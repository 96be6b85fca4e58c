import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from familiarity_checks import ALL_KNOWN
from retinula.errors import InputError, RetinulaError
from retinula.evaluation.temperature import HIGHEST, LOWEST
from retinula.files.tensor_file import load_tensors, save_tensors
from retinula.images import ImageSet
from retinula.models.catalog import NETWORKS, build, build_outline
from retinula.pictures.views import Views
from retinula.trained.asking import in_order
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

CLASSES = ("cat", "dog", "öwl")
PICTURES = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    network = build("residual", num_classes=3, channels=1, size=(8, 8), width=0.25).eval()
    form = Preprocess(1, (8, 8), (0.4,), (0.25,))
    return Model(network, "residual", {"width": 0.25}, CLASSES, form, ("pet", "pet", "bird"), 1.5, {"run": "x"})


@pytest.fixture
def change(model: Model, tmp_path: Path) -> Callable[..., Path]:
    """Write the model with another header, or other weights; return the file."""

    def written(weights: Callable[[torch.Tensor], torch.Tensor] = lambda value: value, **changes: Any) -> Path:
        path = tmp_path / "changed.safetensors"
        model.save(path)
        tensors, header = load_tensors(path)
        save_tensors(path, {name: weights(value) for name, value in tensors.items()}, {**header, **changes})
        return path

    return written


def test_names_that_classes_once_could_have_are_read(change: Callable[..., Path]) -> None:
    old = ["\u0645\u06cc\u062e", "\u0645\u06cc\u200c\u062e", "\u200ea\u200f\u061c"]
    assert Model.load(change(classes=old, superclasses=old)).classes == tuple(old)


def test_what_goes_in_comes_out(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    loaded = Model.load(tmp_path)  # a run's folder
    assert (loaded.task, loaded.classifies) == ("classification", True)
    assert torch.equal(loaded.outputs(PICTURES), model.outputs(PICTURES))
    for field in ("network_name", "arguments", "classes", "preprocess", "superclasses", "temperature", "provenance"):
        assert getattr(loaded, field) == getattr(model, field), field
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert torch.allclose(loaded.probabilities(PICTURES), F.softmax(model.outputs(PICTURES) / 1.5, dim=1))


FORM = {"channels": 1, "size": [8, 8], "resize": "squash", "crop": None, "mean": [0.4], "std": [0.25]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, "format 4, this version of retinula reads 1 to 3; upgrade"),
        ({"format": True}, "format True, this version of retinula reads 1 to 3; upgrade"),
        ({"format": 1.0}, "format 1.0, this version of retinula reads 1 to 3; upgrade"),
        ({"arguments": []}, r"arguments must be a table, not \[\]"),
        ({"arguments": None}, "arguments must be a table, not None"),
        ({"provenance": [["run", "first"]]}, "provenance must be a table, not "),
        ({"temperature": "1.5"}, "temperature must be a number, not '1.5'"),
        ({"temperature": True}, "temperature must be a number, not True"),
        ({"preprocess": {**FORM, "size": [8.5, 8]}}, "size must be a whole number, not 8.5"),
        ({"preprocess": {**FORM, "size": "88"}}, "size is a height and a width, not '88'"),
        ({"preprocess": {**FORM, "crop": [8, 7.9]}}, "crop must be a whole number, not 7.9"),
        ({"preprocess": {**FORM, "channels": True}}, "channels must be a whole number, not True"),
        ({"preprocess": {**FORM, "mean": ["0.4"]}}, "mean must be a number, not '0.4'"),
        ({"preprocess": {**FORM, "std": [True]}}, "std must be a number, not True"),
        (
            {"preprocess": {**FORM, "views": {**Views().to_dict(), "crops": 0.5}}},
            "crops must be a whole number, not 0.5",
        ),
        ({"preprocess": {**FORM, "views": {**Views().to_dict(), "zooms": [True]}}}, "zooms must be a number, not True"),
        ({"network": "cifar10-cnn"}, "no argument 'width'"),
        ({"network": "mobilenetv2"}, "do not fit together"),
        ({"network": "nothing"}, "no network 'nothing'"),
        ({"network": ["residual"]}, "do not fit together"),
        ({"arguments": {}}, "do not fit together"),
        ({"arguments": {"num_classes": 3}}, "do not fit together"),
        ({"classes": ["cat", "dog"]}, "2 classes|do not fit together"),
        ({"classes": [1, 2, 3]}, "list of text"),
        ({"superclasses": ["pet"]}, "1 superclasses for 3 classes"),
        ({"classes": ["cat", "dog", "cat"]}, "two classes are called 'cat'"),
        ({"classes": ["cat", "dog", "a\nb\x1b[2J"]}, r"no class can be called 'a.nb.x1b\[2J'"),
        ({"superclasses": ["pet", "pet", "\u202epet"]}, r"no class can be called '.u202epet'"),
        ({"temperature": 0}, "temperature must lie between 0.001 and 1000, not 0.0"),
        ({"temperature": 1e-300}, "temperature must lie between"),
        ({"temperature": 1e300}, "temperature must lie between"),
        ({"temperature": 10**400}, "not readable .10000000000000000000 is no finite number"),
        ({"familiarity": {"means": []}}, "do not fit together"),
        ({"familiarity": []}, "do not fit together"),
        ({"preprocess": {}}, "do not fit together"),
        ({"preprocess": {**FORM, "channels": 3, "mean": [0] * 3, "std": [1] * 3}}, "do not fit together"),
        ({"preprocess": {**FORM, "crop": []}}, r"crop is a height and a width, not \[\]"),
        ({"preprocess": {**FORM, "size": [10**9, 8]}}, "1 to 4096 pixels"),
        ({"preprocess": {**FORM, "std": [1e-320]}}, "std must lie between"),
        ({"preprocess": {**FORM, "mean": [1e308]}}, "mean must lie between"),
        ({"preprocess": {**FORM, "resize": "melt"}}, "resize"),
        ({"preprocess": {**FORM, "resample": "nearest"}}, "resample is box"),
        ({"preprocess": {**FORM, "views": None}}, "do not fit together"),
        ({"preprocess": {**FORM, "views": {}}}, "do not fit together"),
        ({"preprocess": {**FORM, "views": {**Views().to_dict(), "crops": 4}}}, "crops are 0, 1, 3, 5, not 4"),
    ],
)
def test_a_header_that_lies_is_refused(changes: dict[str, Any], message: str, change: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Model.load(change(**changes))
    assert "changed.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_kind_are_refused(change: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"float64, the network computes with torch\.float32"):
        Model.load(change(lambda value: value.double() if value.is_floating_point() else value))
    with pytest.raises(InputError, match="not finite"):
        Model.load(change(lambda value: value * float("nan") if value.is_floating_point() else value))


# The largest that each network can be asked for: up to 8 GB, were it built.
MONSTROUS: dict[str, dict[str, Any]] = {
    "code-autoencoder": {"numbers": 12288, "width": 512, "blocks": 32},
    "cifar10-denoise": {"width": 512, "layers": 32},
    "mobilenetv2": {"width": 4.0},
    "mobilenetv2-bsconv-u": {"width": 4.0},
    "mobilenetv2-bsconv-s": {"width": 4.0},
    "mobilenetv2-grouped": {"width": 4.0, "group_channels": 4096},
    "residual": {"width": 8.0, "blocks": 32},
    "whitened": {"width1": 2048, "width2": 2048, "width3": 2048, "convolutions": 3, "patch": 5, "stride": 2},
}
LARGE = {"channels": 3, "size": [64, 64], "resize": "squash", "crop": None, "mean": [0.4] * 3, "std": [0.25] * 3}


def test_every_network_that_can_be_made_larger_is_among_the_monstrous() -> None:
    assert MONSTROUS.keys() == {name for name, network in NETWORKS.items() if network.arguments}


@pytest.mark.parametrize("name", MONSTROUS)
def test_a_monstrous_network_costs_nothing(
    name: str, change: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.device] = []

    def listening(*names: Any, **arguments: Any) -> torch.nn.Module:
        network = build_outline(*names, **arguments)
        asked.extend({parameter.device for parameter in network.parameters()})
        return network

    monkeypatch.setattr("retinula.trained.model_file.build_outline", listening)
    with pytest.raises(InputError, match="do not fit together"):
        Model.load(change(network=name, arguments=MONSTROUS[name], preprocess=LARGE))
    assert asked == [torch.device("meta")]


def test_every_temperature_that_a_fit_gives_can_be_read(change: Callable[..., Path]) -> None:
    for temperature in (LOWEST, HIGHEST):
        assert Model.load(change(temperature=temperature)).temperature == temperature


def test_answers_that_are_no_numbers_are_refused(change: Callable[..., Path]) -> None:
    loaded = Model.load(change(lambda value: value * 1e30 if value.is_floating_point() else value))
    for ask in (loaded.probabilities, loaded.judge, loaded.probs):
        with pytest.raises(RetinulaError, match="answers to 4 of 4 pictures are not finite numbers"):
            ask(PICTURES)
    with pytest.raises(RetinulaError, match="answers to 1 of 2 pictures are not finite numbers"):
        loaded.calibrated(torch.tensor([[1.0, 2.0], [float("inf"), 0.0]]))


def test_files_of_the_first_version_are_still_read(change: Callable[..., Path]) -> None:
    loaded = Model.load(change(preprocess=FORM, format=1))
    assert (loaded.form.resample, loaded.form.views) == ("bicubic", Views())


def test_only_what_an_older_program_would_misread_is_kept_from_it(model: Model, tmp_path: Path) -> None:
    forms = [model.preprocess, replace(model.preprocess, resample="box")]
    forms.append(replace(model.preprocess, views=Views(crops=5, scales=(1.0, 0.8), zooms=(0.9,), mirror=True)))
    for form, version in zip(forms, (1, 2, 2), strict=True):
        replace(model, preprocess=form).save(tmp_path / "model.safetensors")
        assert load_tensors(tmp_path / "model.safetensors")[1]["format"] == version
        assert Model.load(tmp_path).preprocess == form
    for familiarity, version in ((replace(ALL_KNOWN, least_energy=1.0), 1), (ALL_KNOWN, 3)):
        replace(model, familiarity=familiarity).save(tmp_path / "model.safetensors")
        assert load_tensors(tmp_path / "model.safetensors")[1]["format"] == version
        assert Model.load(tmp_path).familiarity == familiarity


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors(path, {"x": torch.ones(1)}, {"step": 3, "state": {}})
    with pytest.raises(InputError, match="not a model file"):
        Model.load(tmp_path)
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match="not a safetensors file"):
        Model.load(path)
    with pytest.raises(InputError, match=r"no run '.*missing'"):
        Model.load(tmp_path / "missing")
    with pytest.raises(InputError, match=r"a model is named by its file, .* not by a list"):
        Model.load([path])  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(("ending", "kind"), [("npz", "npz"), ("NPZ", "npz"), ("pt2", "torch")])
def test_what_was_exported_for_other_programs_is_told(ending: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(InputError) as caught:
        Model.load(path)
    told = f"{path}: a file of export --format {kind}; predict takes a run, model.safetensors or model.onnx"
    assert str(caught.value) == told
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="not a safetensors file"):
        Model.load(path)
    path.unlink()
    with pytest.raises(InputError, match=r"^no file '.*model\.\w+'$"):
        Model.load(path)


def test_averaging_by_hand(model: Model) -> None:
    def logits(images: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
        return model.outputs(np.ascontiguousarray(images))

    def mirrored(images: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
        return (logits(images) + logits(images[..., ::-1])) / 2

    padded = np.pad(PICTURES, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    shifted = (mirrored(padded[..., :8, :8]) + mirrored(padded[..., 2:, 2:])) / 2
    assert torch.allclose(model.outputs(PICTURES, tta="mirror"), mirrored(PICTURES), atol=1e-6)
    both = (mirrored(PICTURES) + shifted) / 2
    assert torch.allclose(model.outputs(PICTURES, tta="mirror-shift"), both, atol=1e-6)
    assert torch.allclose(model.outputs(PICTURES, batch_size=3), model.outputs(PICTURES), atol=1e-6)


def test_large_pictures_go_through_a_network_few_at_a_time_unless_more_are_asked_for(model: Model) -> None:
    form = Preprocess(3, (224, 224), (0.0,) * 3, (1.0,) * 3)
    large = replace(model, network=torch.nn.Sequential(torch.nn.AvgPool2d(224), torch.nn.Flatten()), preprocess=form)
    images = np.zeros((40, 3, 224, 224), np.uint8)
    batches: list[int] = []
    large.outputs(images, on_batch=batches.append)
    assert batches == [13, 13, 13, 1]
    batches.clear()
    large.outputs(images, batch_size=39, on_batch=batches.append)
    assert batches == [39, 1]


def test_one_picture_in_any_form(model: Model, tmp_path: Path) -> None:
    array = PICTURES[0, 0]
    picture = Image.fromarray(array)
    content = io.BytesIO()
    picture.save(content, "PNG")
    (tmp_path / "a.png").write_bytes(content.getvalue())
    expected = model.probabilities(PICTURES[:1])[0]
    colour = np.repeat(array[..., None], 3, axis=2)
    arrays = (array, array[..., None], array[None], colour, colour.transpose(2, 0, 1))
    for form in (*arrays, picture, content.getvalue(), tmp_path / "a.png", str(tmp_path / "a.png")):
        answers = model.predict(form)
        assert [answer.label for answer in answers] == [CLASSES[i] for i in expected.argsort(descending=True).tolist()]
        assert sum(answer.probability for answer in answers) == pytest.approx(1)
        assert answers[0].probability == pytest.approx(float(expected.max()), abs=1e-6)
    for wrong, remedy in (
        (array.astype(np.float32), r"; of values in 0..255: picture\.round.*"),
        (array / 255, r"; of values in 0..1: \(picture \* 255\).*"),
        (colour[None], r"; for several at once: predict\(list\(pictures\)\)"),
        (np.zeros((8, 8, 5), np.uint8), ""),
        (array[0], ""),
    ):
        with pytest.raises(
            InputError, match=rf"a picture is bool, uint8 or uint16 \[H, W\].* not \w+ \[[\d, ]+\]{remedy}$"
        ):
            model.predict(wrong)


def test_several_pictures_are_answered_as_each_alone(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, (8 + number, 9, 3), dtype=np.uint8) for number in range(7)]
    asked: list[int] = []
    outputs = Model.outputs

    def counted(self: Model, images: Any, **options: Any) -> torch.Tensor:
        asked.append(len(images))
        return outputs(self, images, **options)

    monkeypatch.setattr("retinula.trained.answers.AT_ONCE", 6)
    viewed = replace(model, preprocess=replace(model.preprocess, views=Views(mirror=True)))
    for each in (model, viewed):
        alone = [each.predict(picture) for picture in pictures]
        with monkeypatch.context() as patched:
            patched.setattr(Model, "outputs", counted)
            together = each.predict(tuple(pictures))
        for one, other in zip(together, alone, strict=True):
            assert dict(one) == pytest.approx(dict(other), abs=1e-6)
    assert asked == [6, 1, 6, 6, 2], "memory is bounded"
    assert model.predict([]) == model.predict(iter(())) == []
    assert [dict(one) for one in model.predict(each for each in pictures)] == [
        pytest.approx(dict(other), abs=1e-6) for other in map(model.predict, pictures)
    ]
    with pytest.raises(InputError, match=r"^pictures\[1\]: a picture is .* not int64"):
        model.predict([pictures[0], np.zeros((8, 8), np.int64)])
    with pytest.raises(InputError, match=r"^pictures\[0\]: pictures are given in one list, not in lists of lists$"):
        model.predict([pictures])


def test_a_photo_is_answered_alike_whichever_way_it_is_held(model: Model) -> None:
    for orientation in range(1, 9):
        content, tags = io.BytesIO(), Image.Exif()
        tags[0x0112] = orientation
        Image.fromarray(np.random.default_rng(2).integers(0, 256, (9, 14, 3), np.uint8)).save(content, "PNG", exif=tags)
        assert model.predict(Image.open(content)) == model.predict(content.getvalue())


def test_what_stands_for_an_open_file_is_one_picture(model: Model) -> None:
    class Standing:
        """As the uploads of some servers."""

        def __init__(self) -> None:
            self._file = io.BytesIO()
            Image.fromarray(PICTURES[0, 0]).save(self._file, "PNG")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def __iter__(self) -> Iterator[bytes]:
            return self._file

        def __next__(self) -> bytes:
            return next(self._file)

    assert model.predict(Standing()) == model.predict(PICTURES[0, 0])


def test_what_cannot_be_read_is_skipped_where_told(model: Model) -> None:
    good = PICTURES[0, 0]
    with pytest.warns(UserWarning, match=r"^skipped pictures\[1\]: .*gone\.png") as warned:
        first, none, last = model.predict([good, "gone.png", good], on_error="skip")
    assert [each.filename for each in warned] == [__file__]
    assert (first, none) == (last, [])
    assert first == model.predict(good)
    with pytest.raises(InputError, match="gone"):
        model.predict("gone.png", on_error="skip")  # type: ignore[call-overload]  # one picture has an answer or none
    with pytest.raises(InputError, match=r"no on_error='skipp'; did you mean 'skip'"):
        model.predict([good], on_error="skipp")  # type: ignore[call-overload]  # what is refused


def test_channels_come_last_where_both_orders_are_possible(model: Model) -> None:
    rows = np.random.default_rng(1).integers(0, 256, (3, 8, 3), dtype=np.uint8)
    assert model.predict(rows) == model.predict(Image.fromarray(rows))


def test_a_model_is_shown_in_one_line(model: Model) -> None:
    assert repr(model) == f"Model({model.network_name}: pictures 1x8x8 to {len(CLASSES)} classes)"
    autoencoder = replace(model, network_name="cifar10-autoencoder", classes=("a", "b"))
    assert repr(autoencoder) == "Model(cifar10-autoencoder: pictures 1x8x8 to pictures)"


def test_other_pictures_are_refused(model: Model) -> None:
    for wrong in (PICTURES[:, :, :7], PICTURES[0], PICTURES.astype(np.float32)):
        with pytest.raises(InputError, match=r"takes uint8 pictures \[N, 1, 8, 8\]"):
            model.outputs(wrong)  # type: ignore[arg-type]  # what is refused
    words = r"in a NumPy array or a tensor, not Tensor of torch\.float32 \[\d+, 1, 8, 8\]$"
    with pytest.raises(InputError, match=words):
        model.outputs(torch.from_numpy(PICTURES).float())
    with pytest.raises(InputError, match="no pictures"):
        model.outputs(PICTURES[:0])
    for several, kind in (
        ([PICTURES[0]], "a list; predict takes a list of pictures of any size$"),
        (None, "a NoneType$"),
        (ImageSet(PICTURES, None, CLASSES, "made"), r"an ImageSet: give its images, image_set\.images$"),
    ):
        with pytest.raises(InputError, match=f"in a NumPy array or a tensor, not {kind}"):
            model.probabilities(several)  # type: ignore[arg-type]  # what is refused


def test_tensors_and_channels_that_come_last_are_taken(model: Model) -> None:
    logits, last = model.outputs(PICTURES), PICTURES.transpose(0, 2, 3, 1)
    for same in (torch.from_numpy(PICTURES), last, torch.from_numpy(last)):
        assert torch.equal(model.outputs(same), logits)
        assert torch.equal(model.probabilities(same), model.probabilities(PICTURES))
        told = replace(model, familiarity=ALL_KNOWN).unfamiliar(same, logits)
        assert told is not None
        assert not told.any()
    both = replace(model, preprocess=Preprocess(3, (3, 3), (0.5,) * 3, (0.5,) * 3)).preprocess.shape
    square = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), dtype=np.uint8)
    assert in_order(square, both) is square, "where both orders fit, channels come first"


def test_a_device_that_is_not_there_is_refused(model: Model) -> None:
    missing = "xpu" if torch.cuda.is_available() else "cuda"
    for device in (missing, "nothing", 1.5, 2**70, "hpu", "meta", *([] if torch.accelerator.is_available() else [0])):
        with pytest.raises(InputError, match=f"^device '{device}' cannot be computed on: [^\n]+$"):
            model.probabilities(PICTURES, device=device)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InputError, match=r"^device 'vulkan' cannot be computed on: [^.]+'aten::[^ ]+ [^.]+$"):
        model.probabilities(PICTURES, device="vulkan")
    assert torch.equal(model.outputs(PICTURES, device="cpu"), model.outputs(PICTURES))


def test_a_reconstruction_knows_no_classes() -> None:
    network = build("cifar10-autoencoder", num_classes=0).eval()
    model = Model(network, "cifar10-autoencoder", {}, (), Preprocess(3, (32, 32), (0.0,) * 3, (1.0,) * 3))
    pictures = np.zeros((1, 3, 32, 32), np.uint8)
    assert (model.task, model.classifies) == ("reconstruction", False)
    assert model.outputs(pictures).shape == (1, 3, 32, 32)
    with pytest.raises(InputError, match="knows no classes"):
        model.probabilities(pictures)
    with pytest.raises(InputError, match="reconstructs pictures"):
        model.outputs(pictures, tta="mirror")
