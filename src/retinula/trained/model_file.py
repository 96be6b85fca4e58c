"""Model: a trained network with all that is needed to use it, in one safetensors file.

The only way to predictions: evaluation, photos, export and server go through `Model`. Knows nothing of training.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from retinula.errors import InputError, RetinulaError, first_line
from retinula.files.strict_json import number, table
from retinula.files.tensor_file import load_tensors, save_tensors
from retinula.forms import Averaging
from retinula.images import Images, copied
from retinula.models.catalog import build, build_outline, network_named
from retinula.models.head import head_of
from retinula.models.watching import watched
from retinula.pictures.form import Form
from retinula.portions import portions
from retinula.text.names import fault_in_class_names
from retinula.trained.answers import Answering, Probabilities
from retinula.trained.asking import check_batches_and_averaging, in_order, usable_device
from retinula.trained.familiarity import Familiarity
from retinula.trained.finding import find_trained
from retinula.transforms.preprocess import Preprocess

# Raised whenever an older program could misread a file: 2 has a filter or views of photos, 3 no limit by the energy.
FORMATS = (1, 2, 3)
_EXPORTED = {".npz": "npz", ".pt2": "torch"}  # formats of export by the ends of their files' names
_ZIP = b"PK\x03\x04"  # how both begin
TEMPERATURES = (0.001, 1000.0)  # far beyond what a fit gives; with others probabilities are 0, 1 or no numbers


@dataclass(frozen=True, eq=False)
class Model(Answering):
    """A trained network and what belongs to it.

    Attributes:
        network: the module, in evaluation mode; takes inputs, gives logits `[N, K]` (or pictures' logits).
        network_name: its name in the catalog of networks.
        arguments: the network's own arguments beyond classes, channels and size.
        classes: the names of the classes, in the order of the logits.
        preprocess: how pictures become inputs.
        superclasses: for each class the name of its group, or None.
        temperature: logits are divided by it before the softmax.
        provenance: what it was trained on, by which recipe, with which result.
        familiarity: what pictures it knows, or None where it cannot tell.
    """

    network: torch.nn.Module
    network_name: str
    arguments: dict[str, Any]
    classes: tuple[str, ...]
    preprocess: Preprocess
    superclasses: tuple[str, ...] | None = None
    temperature: float = 1.0
    provenance: dict[str, Any] = field(default_factory=dict)
    familiarity: Familiarity | None = None

    def __repr__(self) -> str:
        size = "x".join(map(str, self.preprocess.shape))
        gives = f"{len(self.classes)} classes" if self.classifies else "pictures"
        return f"Model({self.network_name}: pictures {size} to {gives})"

    @property
    def task(self) -> str:
        """`classification` or `reconstruction`."""
        return network_named(self.network_name).task

    @property
    def classifies(self) -> bool:
        """Whether it tells classes; it reconstructs pictures otherwise."""
        return self.task == "classification"

    @property
    def form(self) -> Form:
        """The form of the pictures that it takes; every model has one, whatever computes it."""
        return self.preprocess

    @property
    def weights_licence(self) -> str:
        """The licence of the weights, or of the nearest ones that they were begun from; empty where none is told."""
        told: Any = self.provenance
        while isinstance(told, dict):  # a file may be of anybody's making
            if isinstance(licence := told.get("licence"), str) and licence:
                return licence
            source = told.get("source")
            told = source.get("provenance") if isinstance(source, dict) else None
        return ""

    def save(self, path: str | Path) -> None:
        """Write the model file; raises `RetinulaError` where the disk refuses."""
        header = {
            "format": self._format(),
            "network": self.network_name,
            "arguments": self.arguments,
            "classes": list(self.classes),
            "superclasses": None if self.superclasses is None else list(self.superclasses),
            "preprocess": self.preprocess.to_dict(),
            "temperature": self.temperature,
            "provenance": self.provenance,
            "familiarity": None if self.familiarity is None else self.familiarity.to_dict(),
        }
        save_tensors(Path(path), self.network.state_dict(), header)

    def _format(self) -> int:
        if self.familiarity is not None and self.familiarity.least_energy is None:
            return 3
        return 1 if self.preprocess.plain else 2

    @classmethod
    def load(cls, path: str | Path) -> "Model":
        """Read a model file, or that of a run, as `find_trained` finds it. Nothing in the file is executed.

        Raises:
            InputError: the file is missing, damaged, foreign, or written by a newer version.
        """
        path = find_trained(path).file
        try:
            tensors, header = load_tensors(path)
        except InputError as error:
            if not _is_exported(path):
                raise
            kind = _EXPORTED[path.suffix.lower()]
            raise InputError(
                f"{path}: a file of export --format {kind}; predict takes a run, model.safetensors or model.onnx"
            ) from error
        if not isinstance(header, dict) or "network" not in header:
            raise InputError(f"{path}: not a model file (a checkpoint of an unfinished training?)")
        if type(header.get("format")) is not int or header["format"] not in FORMATS:
            raise InputError(
                f"{path}: format {header.get('format')!r}, this version of retinula reads "
                f"{FORMATS[0]} to {FORMATS[-1]}; upgrade retinula"
            )
        try:
            return cls._from_header(header, tensors)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise InputError(f"{path}: its header and its weights do not fit together ({first_line(error)})") from error

    @classmethod
    def _from_header(cls, header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> "Model":
        preprocess = Preprocess.from_dict(header["preprocess"])
        classes = _names(header["classes"])
        superclasses = None if header["superclasses"] is None else _names(header["superclasses"])
        if fault := fault_in_class_names(classes, superclasses, of_model=True):
            raise InputError(fault)
        arguments = table(header["arguments"], "arguments")
        # A file that claims a monstrous network costs nothing before the weights in it are found not to fit.
        form: dict[str, Any] = {
            "num_classes": len(classes),
            "channels": preprocess.channels,
            "size": preprocess.input_shape[1:],
        }
        network = build_outline(header["network"], **form, **arguments)
        _check_weights(network, tensors)
        network.load_state_dict(tensors, strict=True, assign=True)
        if any(values.is_meta for values in network.buffers()):  # what is in no file, such as a table of positions
            with torch.random.fork_rng(devices=()):
                network = build(header["network"], **form, **arguments)
            network.load_state_dict(tensors)
        if superclasses is not None and len(superclasses) != len(classes):
            raise InputError(f"{len(superclasses)} superclasses for {len(classes)} classes")
        temperature = number(header["temperature"], "temperature")
        if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
            lowest, highest = TEMPERATURES
            raise InputError(f"the temperature must lie between {lowest:g} and {highest:g}, not {temperature}")
        familiarity = header.get("familiarity")  # files of earlier versions have none
        return cls(
            network=network.eval().requires_grad_(False),
            network_name=header["network"],
            arguments=arguments,
            classes=classes,
            preprocess=preprocess,
            superclasses=superclasses,
            temperature=temperature,
            provenance=table(header["provenance"], "provenance"),
            familiarity=None if familiarity is None else Familiarity.from_dict(familiarity),
        )

    def outputs(
        self,
        images: Images | torch.Tensor,
        *,
        batch_size: int | None = None,
        tta: Averaging = "none",
        device: torch.device | str | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> torch.Tensor:
        """Run the network over pictures already at the preprocess's size.

        Args:
            images: uint8 `[N, C, H, W]`, or `[N, H, W, C]` where only this order fits the model.
            batch_size: pictures at a time, by their size (`portions`) where None; bounds memory, does not change the
                answer beyond rounding.
            tta: averaging at test time: over the mirrored picture, or also over two shifts by a pixel.
            device: where to compute; the processor where none is given.
            on_batch: called with the number of pictures of each finished batch.

        Returns:
            float32 logits `[N, K]`, or `[N, C, h, w]` for a reconstruction, in memory of the processor.
        """
        images = in_order(images, self.preprocess.shape)
        check_batches_and_averaging(batch_size, tta)
        if tta != "none" and not self.classifies:
            raise InputError(f"tta={tta} averages answers about classes; {self.network_name} reconstructs pictures")
        device = usable_device("cpu" if device is None else device)
        network = self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        network.eval()
        answers = _Gathered(len(images))
        with torch.inference_mode():
            for part in portions(len(images), self.preprocess.shape, batch_size):
                batch = torch.from_numpy(copied(images, part)).to(device)
                answers.add(_averaged(network, self.preprocess, batch, tta).cpu())
                if on_batch:
                    on_batch(len(batch))
        return answers.rows()

    def features(
        self, images: Images, *, batch_size: int | None = None, on_batch: Callable[[int], None] | None = None
    ) -> torch.Tensor:
        """Return what the head, the last linear layer, is given for each picture: float32 `[N, D]`, its embedding.

        Raises:
            InputError: the network has no linear layer, or pictures of another form than the model takes.
        """
        return self.outputs_and_features(images, batch_size=batch_size, on_batch=on_batch)[1]

    def outputs_and_features(
        self, images: Images, *, batch_size: int | None = None, on_batch: Callable[[int], None] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `outputs` and `features` give, with one pass through the network; raises as these."""
        kept = _Gathered(len(images))

        def keep(_name: str, given: torch.Tensor, _output: torch.Tensor) -> None:
            kept.add(given.float().flatten(1).cpu())

        name = head_of(self.network)
        with watched({name: self.network.get_submodule(name)}, keep):
            logits = self.outputs(images, batch_size=batch_size, on_batch=on_batch)
        return logits, kept.rows()

    def probabilities(
        self,
        images: Images | torch.Tensor,
        *,
        batch_size: int | None = None,
        tta: Averaging = "none",
        device: torch.device | str | None = None,
    ) -> torch.Tensor:
        """Return float32 `[N, K]`, rows summing to 1: the softmax of the logits over the temperature."""
        self._check_knows_classes()
        return self.calibrated(self.outputs(images, batch_size=batch_size, tta=tta, device=device))

    def calibrated(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the probabilities that logits `[N, K]` stand for: their softmax over the temperature.

        Raises:
            RetinulaError: logits are not finite numbers.
        """
        logits = logits / self.temperature
        if broken := int((~logits.isfinite().all(dim=1)).sum()):
            raise RetinulaError(f"the model's answers to {broken} of {len(logits)} pictures are not finite numbers")
        return F.softmax(logits, dim=1)

    def _check_knows_classes(self) -> None:
        if not self.classifies:
            raise InputError(f"{self.network_name} reconstructs pictures; it knows no classes")

    def unfamiliar(self, images: Images | torch.Tensor, logits: torch.Tensor) -> torch.Tensor | None:
        """Say which pictures are unlike anything it was trained on: bool `[N]`, or None where it cannot tell.

        Args:
            images: uint8 `[N, C, H, W]`, as `outputs` takes them.
            logits: float `[N, K]`, what `outputs` gives for them.
        """
        if self.familiarity is None:
            return None
        return self.familiarity.unfamiliar(torch.from_numpy(np.array(in_order(images, self.preprocess.shape))), logits)

    def probs(self, images: Images) -> Probabilities:
        """Return the probabilities, float32 `[N, K]`, as an array."""
        return self.probabilities(images).numpy()

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Return `probs`, and which pictures are unfamiliar, bool `[N]`; None where the model cannot tell."""
        self._check_knows_classes()
        logits = self.outputs(images)
        unfamiliar = self.unfamiliar(images, logits)
        return self.calibrated(logits).numpy(), None if unfamiliar is None else unfamiliar.numpy()


def _is_exported(path: Path) -> bool:
    """Tell whether a file is one that export writes for other programs, by its name and its first bytes."""
    if path.suffix.lower() not in _EXPORTED:
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


class _Gathered:
    """What comes batch by batch, in one tensor: small ones kept between large ones would leave holes in memory."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._next = 0
        self._rows: torch.Tensor | None = None

    def add(self, part: torch.Tensor) -> None:
        """Take the rows of the next batch."""
        if self._rows is None:
            with torch.inference_mode(mode=False):  # gradients may yet be wanted of what is made of them
                self._rows = torch.empty(self._number, *part.shape[1:], dtype=part.dtype)
        self._rows[self._next : self._next + len(part)] = part
        self._next += len(part)

    def rows(self) -> torch.Tensor:
        """Return all of them."""
        if self._rows is None:
            raise InputError("no pictures to run the network on")
        return self._rows


def _check_weights(network: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    # Names and shapes are checked where the weights are taken over; their type and their values are not.
    for name, expected in network.state_dict().items():
        weights = tensors.get(name)
        if weights is None:
            continue
        if weights.dtype != expected.dtype:
            raise InputError(f"{name} is {weights.dtype}, the network computes with {expected.dtype}")
        if not torch.isfinite(weights).all():
            raise InputError(f"{name} has values that are not finite: the training went astray")


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError("class names must be a list of text")
    return tuple(values)


def _averaged(network: torch.nn.Module, preprocess: Preprocess, batch: torch.Tensor, tta: Averaging) -> torch.Tensor:
    """Logits of one batch, averaged as the public CIFAR-10 speed records count: half plain, half shifted."""

    def logits(images: torch.Tensor) -> torch.Tensor:
        inputs = preprocess.inputs(images)
        outputs: torch.Tensor = network(inputs.contiguous(memory_format=torch.channels_last))
        return outputs.float()

    def mirrored(images: torch.Tensor) -> torch.Tensor:
        return (logits(images) + logits(images.flip(3))) / 2

    if tta == "none":
        return logits(batch)
    plain = mirrored(batch)
    if tta == "mirror":
        return plain
    height, width = batch.shape[2:]
    padded = F.pad(batch.float(), (1, 1, 1, 1), mode="reflect").to(torch.uint8)
    shifted = [padded[:, :, top : top + height, top : top + width] for top in (0, 2)]
    return (plain + (mirrored(shifted[0]) + mirrored(shifted[1])) / 2) / 2
