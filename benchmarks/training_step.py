"""How fast do others, and we, train the network of `cifar10-cnn`, against a plain PyTorch loop?

    python -m benchmarks.training_step [--rounds 3] [--steps 20] [--sides plain keras retinula ...]

The figure of a process is the median time of its steps of 128 pictures.

plain             what a tutorial would show: float32, `DataLoader`, Adam; but its pictures are converted beforehand
torchvision       the same, its pictures converted one by one by torchvision in two processes
keras             the same network and optimizer in Keras, on its torch backend, by `fit`
retinula-float32  `retinula train cifar10-cnn precision=float32`
retinula          `retinula train cifar10-cnn`
"""

import os
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import turns
from benchmarks.noise import OneByOne, pictures
from retinula.bench import measure_speed
from retinula.images import ImageSet
from retinula.models.catalog import build
from retinula.recipe.files import load_recipe

BATCH_SIZE = 128
WORKERS = 2
OURS = {"retinula-float32": ["precision=float32"], "retinula": []}
SIDES = ("plain", "torchvision", "keras", *OURS)


def plain_steps(batches: DataLoader[Any]) -> Iterator[None]:
    """Make one step of the plain loop for each batch."""
    network = build("cifar10-cnn", num_classes=10)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for inputs, labels in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(inputs), labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
        float(loss.detach())
        yield


def plain(image_set: ImageSet) -> list[float]:
    """Seconds of steps on tensors that are ready."""
    inputs, labels = torch.from_numpy(image_set.images).float() / 255, torch.from_numpy(image_set.known_labels())
    batches = DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=True)
    return turns.laps(plain_steps(batches))


def torchvision(image_set: ImageSet) -> list[float]:
    """Seconds of steps on pictures that two processes make ready."""
    dataset = OneByOne(image_set, turns.need("torchvision.transforms").ToTensor())
    return turns.laps(plain_steps(DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, num_workers=WORKERS)))


def keras(image_set: ImageSet) -> list[float]:
    """Seconds of the steps of `fit`."""
    os.environ["KERAS_BACKEND"] = "torch"
    package = turns.need("keras")
    layers = package.layers
    network = package.Sequential([package.Input((32, 32, 3))])
    for widths in ((32, 64), (128, 128), (256, 256)):
        for width in widths:
            network.add(layers.Conv2D(width, 3, padding="same", activation="relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    for width in (1024, 512):
        network.add(layers.Dense(width, activation="relu"))
    network.add(layers.Dense(10))
    loss = package.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=package.optimizers.Adam(1e-3), loss=loss)
    ends = [time.perf_counter()]
    noted = package.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter()))
    inputs = image_set.images.transpose(0, 2, 3, 1).astype("float32") / 255
    network.fit(inputs, image_set.known_labels(), batch_size=BATCH_SIZE, verbose=0, callbacks=[noted])
    return [after - before for before, after in pairwise(ends)]


def step_seconds(side: str, steps: int) -> float:
    """Median seconds of a step, measured in this process."""
    if side in OURS:
        recipe = load_recipe("cifar10-cnn", [f"batch_size={BATCH_SIZE}", *OURS[side]])
        return measure_speed(recipe, steps=steps).step_seconds
    peer = {"plain": plain, "torchvision": torchvision, "keras": keras}[side]
    return turns.typical(peer(pictures(BATCH_SIZE * steps)))


def main() -> None:
    """Print machine and ratios."""
    parser = turns.arguments(__doc__, rounds=3)
    turns.add_sides(parser, SIDES)
    parser.add_argument("--steps", type=int, default=20, help="more than the first three, which do not count")
    options = parser.parse_args()
    if options.side:
        print(step_seconds(options.side, options.steps))
        return
    turns.print_machine("torchvision", "keras")
    words = ["benchmarks.training_step", "--steps", str(options.steps), "--side"]
    turns.compare(
        {side: [*words, side] for side in options.sides},
        options.rounds,
        lambda seconds: f"{1000 * seconds:,.0f} ms a step",
    )


if __name__ == "__main__":
    main()
