"""How many pictures a second does an exported model answer, against eager torch?

    python benchmarks/prediction.py RUN|MODEL.safetensors [ONNX ...] [--rounds 5] [--batch 64]

Each side answers in a process of its own, in turns: uint8 pictures of the model's size to probabilities. `torch` is
what a tutorial would show (the network as it is, in float32, in inference mode); `model` is what `retinula predict RUN`
computes; then every ONNX file. The figure of a process is the median time of its batches, the first ones left out, and
the answer is the median of the rounds' ratios to `torch`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from retinula.images import Images
from retinula.onnx_model import OnnxModel
from retinula.run import find_run

WARM_UP = 5  # batches not counted: memory is claimed, kernels are chosen
BATCHES = 30


def in_torch(path: Path, images: Images, *, plain: bool) -> Callable[[], object]:
    """Return what answers one batch with torch."""
    import torch

    from retinula.model_file import Model

    model = Model.load(path)
    if not plain:
        return lambda: model.probs(images)

    def answer() -> object:
        with torch.inference_mode():
            inputs = model.preprocess.normalise(model.preprocess.crop_centre(torch.from_numpy(images)))
            return torch.softmax(model.network(inputs) / model.temperature, dim=1).numpy()

    return answer


def seconds_of(side: str, path: Path, shape: tuple[int, int, int], batch: int) -> float:
    """Return the median seconds of a batch, measured in this process."""
    images = np.random.default_rng(0).integers(0, 256, (batch, *shape), dtype=np.uint8)
    if side == "onnx":
        exported = OnnxModel.load(path)

        def answer() -> object:
            return exported.probs(images)

    else:
        answer = in_torch(path, images, plain=side == "torch")
    seconds = []
    for _ in range(WARM_UP + BATCHES):
        begun = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[WARM_UP:])


def measure(side: str, path: Path, shape: tuple[int, int, int], batch: int) -> float:
    """Return the same, measured in a process of its own."""
    words = ["--side", side, "--shape", json.dumps(shape), "--batch", str(batch)]
    done = subprocess.run([sys.executable, __file__, str(path), *words], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the rounds and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a run, or a model file")
    parser.add_argument("onnx", nargs="*", type=Path, help="files that retinula export wrote of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", choices=("torch", "model", "onnx"), help="measure one side in this process")
    parser.add_argument("--shape", type=json.loads, help="of the pictures, for --side")
    options = parser.parse_args()
    path = Path(options.model)
    if options.side:
        print(seconds_of(options.side, path, options.shape, options.batch))
        return
    from retinula.model_file import Model

    if not path.is_file():
        path = find_run(options.model).model_file
    form = Model.load(path).preprocess
    shape = (form.channels, *form.size)
    sides = {"torch": ("torch", path), "model": ("model", path)}
    sides |= {file.name: ("onnx", file) for file in options.onnx}
    ratios: dict[str, list[float]] = {name: [] for name in sides}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        seconds = {name: measure(side, file, shape, options.batch) for name, (side, file) in sides.items()}
        for name, value in seconds.items():
            ratios[name].append(seconds["torch"] / value)
            speeds[name].append(options.batch / value)
    print(f"{path}, {shape} pictures, batch {options.batch}, {options.rounds} rounds")
    for name in sides:
        low, high = min(ratios[name]), max(ratios[name])
        speed, ratio = statistics.median(speeds[name]), statistics.median(ratios[name])
        print(f"{name:24} {speed:9,.0f} pictures/s   {ratio:5.2f} x torch (rounds {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
