"""How many pictures a second are drawn, changed and normalised, against torchvision with two worker processes?

    python -m benchmarks.augmentation [--without-colours] [--one-core] [--rounds 3] [--pictures 12800]

Every side gives batches of 128 pictures of 32x32, float32 and normalised. Each picture is changed by chances of its
own: shifted by up to 4 pixels, mirrored by a coin, and, unless left out, changed in brightness, contrast, saturation
and hue.

torchvision-2  `DataLoader` with two processes and torchvision's transforms, picture by picture, by way of Pillow
torchvision    the same in one process
kornia         its augmentations of whole batches
retinula       what `retinula train` does before each step

With `--one-core` all is done in one process and thread, and the processor's time is counted, which other programs
hardly change.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks import turns
from benchmarks.noise import OneByOne, pictures
from retinula.images import ImageSet
from retinula.recipe.files import load_recipe
from retinula.training.hardware import Hardware, available_threads, keep_memory
from retinula.training.inputs import prepare
from retinula.training.plan import make_plan, make_preprocess

BATCH_SIZE = 128
WORKERS = 2
PADDING = 4
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.2, 0.3, 0.3, 0.05
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SIDES = ("torchvision-2", "torchvision", "kornia", "retinula")


def by_torchvision(image_set: ImageSet, *, colours: bool, workers: int) -> Iterator[object]:
    """Give batches of pictures that were changed one by one."""
    transforms = turns.need("torchvision.transforms")
    jitter = [transforms.ColorJitter(BRIGHTNESS, CONTRAST, SATURATION, HUE)] if colours else []
    steps: list[Any] = [
        transforms.RandomCrop(image_set.shape[1], padding=PADDING, padding_mode="reflect"),
        transforms.RandomHorizontalFlip(),
        *jitter,
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    dataset = OneByOne(image_set, transforms.Compose(steps))
    yield from DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, num_workers=workers)


def by_kornia(image_set: ImageSet, *, colours: bool) -> Iterator[object]:
    """Give batches that were changed as a whole."""
    augmentation = turns.need("kornia.augmentation")
    jitter = [augmentation.ColorJitter(BRIGHTNESS, CONTRAST, SATURATION, HUE, p=1.0)] if colours else []
    change = augmentation.AugmentationSequential(
        augmentation.RandomCrop(image_set.shape[1:], padding=PADDING, padding_mode="reflect"),
        augmentation.RandomHorizontalFlip(),
        *jitter,
        augmentation.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        data_keys=["input"],
    )
    images = torch.from_numpy(image_set.images)
    order = torch.randperm(len(images))
    for first in range(0, len(images), BATCH_SIZE):
        yield change(images[order[first : first + BATCH_SIZE]].float() / 255)


def by_retinula(image_set: ImageSet, *, colours: bool, threads: int) -> Iterator[object]:
    """Give the inputs of the training loop."""
    keep_memory()
    settings = [
        f"batch_size={BATCH_SIZE}",
        "augment.flip=random",
        f"augment.crop_padding={PADDING}",
        f"inputs.mean={list(MEAN)}",
        f"inputs.std={list(STD)}",
    ]
    if colours:
        settings += [
            f"augment.brightness={BRIGHTNESS}",
            f"augment.contrast=[{1 - CONTRAST}, {1 + CONTRAST}]",
            f"augment.saturation=[{1 - SATURATION}, {1 + SATURATION}]",
            f"augment.hue={HUE}",
        ]
    recipe = load_recipe("cifar10-cnn", settings)
    hardware = Hardware("cpu", threads, False, "float32", "for this benchmark")
    plan = make_plan(recipe, image_set, None, make_preprocess(recipe, image_set), hardware)
    for batch in plan.batches.batches(0, plan.batches.steps_per_epoch):
        yield prepare(plan, batch)


def picture_seconds(side: str, count: int, *, colours: bool, one_core: bool) -> float:
    """Seconds for each picture, measured in this process: the mean, since worker processes give batches in bursts."""
    image_set = pictures(count)
    threads = 1 if one_core else available_threads()
    torch.set_num_threads(threads)
    if side == "kornia":
        batches = by_kornia(image_set, colours=colours)
    elif side == "retinula":
        batches = by_retinula(image_set, colours=colours, threads=threads)
    else:
        batches = by_torchvision(image_set, colours=colours, workers=WORKERS if side == "torchvision-2" else 0)
    seconds = turns.laps(batches, time.process_time if one_core else time.perf_counter)[turns.WARM_UP :]
    return sum(seconds) / (BATCH_SIZE * len(seconds))


def main() -> None:
    """Print machine and ratios."""
    parser = turns.arguments(__doc__, rounds=3)
    turns.add_sides(parser, SIDES)
    parser.add_argument("--without-colours", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--pictures", type=int, default=100 * BATCH_SIZE, help="more than three batches")
    options = parser.parse_args()
    if options.side:
        colours = not options.without_colours
        print(picture_seconds(options.side, options.pictures, colours=colours, one_core=options.one_core))
        return
    sides = [side for side in options.sides if not (options.one_core and side == "torchvision-2")]
    turns.print_machine("torchvision", "kornia")
    words = ["benchmarks.augmentation", "--pictures", str(options.pictures)]
    words += ["--without-colours"] * options.without_colours + ["--one-core"] * options.one_core
    turns.compare(
        {side: [*words, "--side", side] for side in sides},
        options.rounds,
        lambda seconds: f"{1 / seconds:,.0f} pictures/s, {1e6 * seconds:,.1f} us each",
    )


if __name__ == "__main__":
    main()
