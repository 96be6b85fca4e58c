"""OnnxModel: a model that `retinula export` wrote, answering by ONNX Runtime. It never loads torch.

Resizing, normalisation, the network and its temperature all lie in the file; this only feeds it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from retinula.errors import InputError, RetinulaError, first_line
from retinula.extras import load
from retinula.files.onnx_file import read_file, read_metadata
from retinula.files.strict_json import read_json
from retinula.images import Images
from retinula.machine import available_cores
from retinula.pictures.form import Form
from retinula.portions import portions
from retinula.text.names import fault_in_class_names
from retinula.trained.answers import Answering, Probabilities

# Raised whenever an older program could misread a newer file: 2 has a filter or views of photos that 1 does not know, 3
# a second output.
FORMATS: Final = (1, 2, 3)
FORMAT_KEY: Final = "retinula_format"
INPUT: Final = "images"
UNFAMILIAR: Final = "unfamiliar"  # the second output, of classifiers that can tell
MAX_CLASSES: Final = 100_000
_MOST_PIXELS: Final = 12_000_000  # at a time, but for a single picture: some 300 MB on the way through the graph
_TOLD: Final = (
    "network",
    "superclasses",
    "temperature",
    "precision",
    "data_licence",
    "weights_licence",
    "provenance",
    "parity",
)


@dataclass(frozen=True, eq=False)
class OnnxModel(Answering):
    """A model in one ONNX file.

    Attributes:
        classes: the names of the classes, in the order of the probabilities; none of a model that gives pictures back.
        metadata: all that the file says of itself: `task`, `network`, `classes`, `superclasses`, `preprocess`,
            `temperature`, `data_licence`, `weights_licence` where one is known, `provenance`, `parity` and more, as
            values of JSON.
        form: of the pictures that it takes; the graph itself looks at the whole of a photo only, not at other views.
        tells_unfamiliar: whether it can tell pictures unlike anything it was trained on.
    """

    classes: tuple[str, ...]
    metadata: Mapping[str, Any]
    form: Form
    tells_unfamiliar: bool
    _session: Any

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> "OnnxModel":
        """Read a file that `retinula export` wrote.

        Args:
            path: of the file.
            threads: that compute; as many as there are processors where None.

        Raises:
            InputError: the file is missing, damaged, foreign, reaches outside itself, or was written by a newer
                version; or ONNX Runtime is not installed.
        """
        path = Path(path)
        content = read_file(path)
        try:
            return cls.from_bytes(content, threads=threads)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def from_bytes(cls, content: bytes, *, threads: int | None = None) -> "OnnxModel":
        """Read the content of such a file; raises as `load`, without the file's name."""
        metadata = _metadata(read_metadata(content))
        try:
            form = Form.from_dict(metadata["preprocess"])
            classes = metadata["classes"]
            if not (
                isinstance(classes, list)
                and len(classes) <= MAX_CLASSES
                and all(isinstance(name, str) for name in classes)
                and bool(classes) == (metadata["task"] == "classification")
            ):
                raise ValueError("values out of range")
            if fault := fault_in_class_names(classes, of_model=True):
                raise ValueError(fault)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"what it says of itself is not right ({error}); export the model again") from error
        session = _session(content, threads)
        outputs = [(each.name, each.type) for each in session.get_outputs()]
        tells = bool(classes) and outputs[1:] == [(UNFAMILIAR, "tensor(bool)")]
        if len(outputs) != 1 + tells:
            raise InputError("its outputs are not what its task has; export the model again")
        return cls(tuple(classes), MappingProxyType(metadata), form, tells, session)

    @property
    def task(self) -> str:
        """`classification` or `reconstruction`."""
        return str(self.metadata["task"])

    @property
    def about(self) -> dict[str, Any]:
        """What a server or a page tells of it beside its name and classes: values that JSON can hold."""
        told = {key: self.metadata[key] for key in _TOLD if key in self.metadata}
        return {**told, "tells_unfamiliar": self.tells_unfamiliar, "input": self.metadata["preprocess"]}

    def probs(self, images: Images) -> Probabilities:
        """Return float32 `[N, K]` for pictures uint8 `[N, C, H, W]` as `shrink` gives them."""
        return self.probs_of_photos(in_colour(images))

    def judge(self, images: Images) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Return `probs`, and which pictures are unfamiliar, bool `[N]`; None where the file cannot tell."""
        return self.judge_photos(in_colour(images))

    def probs_of_photos(self, photos: NDArray[np.uint8], *, batch_size: int = 64) -> Probabilities:
        """Return float32 `[N, K]`, rows summing to 1, for pictures of any size.

        Args:
            photos: uint8 `[N, H, W, 3]`.
            batch_size: pictures at a time, fewer where they, or what the network sees of them, are large; bounds
                memory, does not change the answer beyond rounding.

        Raises:
            InputError: the pictures have another form, or the model gives pictures back.
            RetinulaError: ONNX Runtime fails.
        """
        self._check_knows_classes()
        return np.concatenate([answers for (answers,) in self._run(photos, batch_size, answers_alone=True)])

    def judge_photos(
        self, photos: NDArray[np.uint8], *, batch_size: int = 64
    ) -> tuple[Probabilities, NDArray[np.bool_] | None]:
        """Return the same, and which pictures are unfamiliar, bool `[N]`; None where the file cannot tell."""
        self._check_knows_classes()
        outputs = zip(*self._run(photos, batch_size), strict=True)
        probabilities, *unfamiliar = (np.concatenate(each) for each in outputs)
        return probabilities, unfamiliar[0] if unfamiliar else None

    def reconstruct_photos(self, photos: NDArray[np.uint8], *, batch_size: int = 64) -> NDArray[np.float32]:
        """Return the pictures that the network makes of pictures, which are brought to its size first.

        Args:
            photos: uint8 `[N, H, W, 3]`.
            batch_size: as `probs_of_photos`.

        Returns:
            float32 `[N, height, width, channels]` in 0..1.

        Raises:
            InputError: the pictures have another form, or the model is a classifier.
            RetinulaError: ONNX Runtime fails.
        """
        if self.classes:
            raise InputError(f"{self.metadata.get('network')} is a classifier and gives no pictures back")
        return np.concatenate([pictures for (pictures,) in self._run(photos, batch_size)])

    def _check_knows_classes(self) -> None:
        if not self.classes:
            raise InputError(f"{self.metadata.get('network')} gives pictures back; it knows no classes")

    def _run(
        self, images: NDArray[np.uint8], batch_size: int, *, answers_alone: bool = False
    ) -> Iterator[list[NDArray[Any]]]:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not images.size:
            raise InputError(
                f"a model in ONNX takes uint8 pictures [N, H, W, 3], not {images.dtype} {list(images.shape)}"
            )
        if batch_size < 1:
            raise InputError(f"a batch holds at least one picture, not {batch_size}")
        most = min(batch_size, max(1, _MOST_PIXELS // (images.shape[1] * images.shape[2])))
        wanted = [self._session.get_outputs()[0].name] if answers_alone else None  # of None the runtime gives all
        for part in portions(len(images), (self.form.channels, *self.form.size), most=most):
            batch = np.ascontiguousarray(images[part])
            try:
                outputs = self._session.run(wanted, {INPUT: batch})
            except Exception as error:
                # ONNX Runtime has no common error of its own below Exception.
                raise RetinulaError(f"ONNX Runtime failed: {first_line(error)}") from error
            answers, *unfamiliar = outputs
            expected = (len(batch), len(self.classes)) if self.classes else (len(batch),)
            if answers.dtype != np.float32 or answers.shape[: len(expected)] != expected:
                raise RetinulaError(f"the model gave {answers.dtype} {list(answers.shape)} instead of {list(expected)}")
            if not np.isfinite(answers).all():
                raise RetinulaError("the model's answers are not finite numbers")
            if any(told.shape != (len(batch),) for told in unfamiliar):
                raise RetinulaError(f"the model does not say of each of {len(batch)} pictures whether it is unfamiliar")
            yield outputs


def in_colour(images: Images) -> Images:
    """Lay uint8 `[N, C, H, W]` with one channel or three out as the graphs take it, `[N, H, W, 3]`; no copy."""
    return np.broadcast_to(images, (len(images), 3, *images.shape[2:])).transpose(0, 2, 3, 1)


def _metadata(raw: Mapping[str, str]) -> dict[str, Any]:
    if FORMAT_KEY not in raw:
        raise InputError("an ONNX file, but not one that retinula export wrote")
    if raw[FORMAT_KEY] not in map(str, FORMATS):
        read = f"{FORMATS[0]} to {FORMATS[-1]}"
        raise InputError(f"format {raw[FORMAT_KEY][:20]!r}, this version of retinula reads {read}; upgrade retinula")
    try:
        return {key: read_json(value) for key, value in raw.items()}
    except (ValueError, RecursionError) as error:
        raise InputError(f"what it says of itself is not readable ({error})") from error


def _session(content: bytes, threads: int | None) -> Any:
    onnxruntime = load("export", "answering from an ONNX file", "onnxruntime")
    if threads is not None and threads < 1:
        raise InputError(f"at least one thread computes, not {threads}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    options.log_severity_level = 4  # what fails is an error here; warnings are for those who write graphs
    # What was looked through was ONNX; the runtime would take bytes that can be read as its own format for that.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Threads that spin while they wait take the processor from decoding and from whoever else serves.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"ONNX Runtime cannot use it ({first_line(error)})") from error
    if [(each.name, each.type) for each in session.get_inputs()] != [(INPUT, "tensor(uint8)")]:
        raise InputError("its input is not uint8 pictures alone; export the model again")
    return session
