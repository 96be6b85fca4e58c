"""How many pictures a second does an exported model answer, against eager torch?

    python -m benchmarks.prediction RUN|MODEL.safetensors [ONNX ...] [--rounds 5] [--batch 64]

Every side takes uint8 pictures of the model's size to probabilities; the figure of a process is the median time of its
batches. `torch` is what a tutorial would show (the network as it is, in float32, in inference mode); `model` is what
`retinula predict RUN` computes; then every ONNX file, by ONNX Runtime.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import turns
from retinula.images import Images
from retinula.trained.onnx_model import OnnxModel

BATCHES = 30


def in_torch(path: Path, images: Images, *, plain: bool) -> Callable[[], object]:
    """Return what answers one batch with torch."""
    import torch

    from retinula.trained.model_file import Model

    model = Model.load(path)
    if not plain:
        return lambda: model.probs(images)

    def answer() -> object:
        with torch.inference_mode():
            inputs = model.preprocess.inputs(torch.from_numpy(images))
            return torch.softmax(model.network(inputs) / model.temperature, dim=1).numpy()

    return answer


def in_onnx_runtime(path: Path, images: Images) -> Callable[[], object]:
    """Return what answers one batch with ONNX Runtime."""
    turns.need("onnxruntime")
    model = OnnxModel.load(path)
    return lambda: model.probs(images)


def batch_seconds(side: str, path: Path, shape: tuple[int, int, int], batch: int) -> float:
    """Return the median seconds of a batch, measured in this process."""
    images = np.random.default_rng(0).integers(0, 256, (batch, *shape), dtype=np.uint8)
    answer = in_onnx_runtime(path, images) if side == "onnx" else in_torch(path, images, plain=side == "torch")
    return turns.typical(turns.laps(answer() for _ in range(turns.WARM_UP + BATCHES)))


def main() -> None:
    """Print machine and ratios."""
    parser = turns.arguments(__doc__, rounds=5)
    parser.add_argument("model", help="a run, or a model file")
    parser.add_argument("onnx", nargs="*", type=Path, help="files that retinula export wrote of it")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", choices=("torch", "model", "onnx"), help="measure one side in this process")
    parser.add_argument("--shape", type=json.loads, help="of the pictures, for --side")
    options = parser.parse_args()
    if options.side:
        print(batch_seconds(options.side, Path(options.model), options.shape, options.batch))
        return
    from retinula.trained.model_file import Model

    path = turns.model_file(options.model)
    form = Model.load(path).preprocess
    words = ["--shape", json.dumps([form.channels, *form.size]), "--batch", str(options.batch), "--side"]
    files = {"torch": ("torch", path), "model": ("model", path)}
    files |= {file.name: ("onnx", file) for file in options.onnx}
    turns.print_machine("onnxruntime")
    turns.compare(
        {name: ["benchmarks.prediction", str(file), *words, side] for name, (side, file) in files.items()},
        options.rounds,
        lambda seconds: f"{options.batch / seconds:,.0f} pictures/s",
    )


if __name__ == "__main__":
    main()
