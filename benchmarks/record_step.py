"""How long do the public record's recipe and our `cifar10-fast` take for their epochs on this processor?

    python -m benchmarks.record_step [--rounds 3] [--steps 5] [--batch 2000] [--sides record retinula ...]

The record (K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, 2024, and its later form with Muon) is written
here anew from its description: the network, its augmentation, its loss, its two optimizers, eight epochs in batches of
2,000. The figure of a process is the median of its steps, times the number of steps. Not measured: what either reaches.

record-half  weights and pictures in half precision, as it stands, but for the device: bfloat16, because processors
             without units for float16 take 30 times as long with that
record       weights in float32, forward pass in bfloat16, the allocator told to keep its memory
retinula     `retinula train cifar10-fast`
"""

import statistics
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import turns
from benchmarks.noise import pictures
from retinula.bench import measure_speed
from retinula.recipe.files import load_recipe
from retinula.training.hardware import available_threads, keep_memory

EPOCHS, WHITENING_EPOCHS = 8, 3  # the constants of the first layer are learnt in the first epochs only
NUM_IMAGES = 50_000
WIDTHS = (64, 256, 256)
SHIFT = 2
SMOOTHING = 0.2
RATE, MOMENTUM = 0.24, 0.6  # Muon's
REST_RATE, HEAD_RATE, REST_MOMENTUM = 0.053, 0.67, 0.85
DECAY = 2e-6  # for each picture of a batch
QUINTIC = (3.4445, -4.7750, 2.0315)
SIDES = ("record-half", "record", "retinula")


class Record(nn.Module):
    """The record's network: whitening of 2x2 patches, three blocks of two convolutions, a scaled linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad_(False)
        layers: list[nn.Module] = [nn.GELU()]
        wide = 24
        for width in WIDTHS:
            layers += [_convolution(wide, width), nn.MaxPool2d(2), _norm(width), nn.GELU()]
            layers += [_convolution(width, width), _norm(width), nn.GELU()]
            wide = width
        self.blocks = nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten())
        self.head = nn.Linear(wide, 10, bias=False)

    def forward(self, inputs: torch.Tensor, *, learns_whitening: bool) -> torch.Tensor:
        """Map `[N, 3, 32, 32]` to logits `[N, 10]`."""
        bias = self.whitening.bias
        maps = F.conv2d(inputs, self.whitening.weight, bias if learns_whitening or bias is None else bias.detach())
        logits: torch.Tensor = self.head(self.blocks(maps)) / self.head.in_features
        return logits


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm


class Filters:
    """The record's optimizer for filters: Nesterov momentum made orthogonal, weights of a fixed norm."""

    def __init__(self, filters: list[nn.Parameter]) -> None:
        self.momenta = {one: torch.zeros_like(one) for one in filters}

    @torch.no_grad()
    def step(self) -> None:
        """Move all filters."""
        for weights, momentum in self.momenta.items():
            assert weights.grad is not None  # noqa: S101 - every step gives all of them gradients
            momentum.mul_(MOMENTUM).add_(weights.grad)
            ahead = weights.grad.add(momentum, alpha=MOMENTUM).flatten(1)
            weights.mul_(len(weights) ** 0.5 / weights.norm())
            weights.add_(orthogonal(ahead).view_as(weights), alpha=-RATE)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Bring the singular values of a matrix near 1, by three turns of a quintic in bfloat16."""
    turned = len(matrix) > matrix.shape[1]
    wide = matrix.T.bfloat16() if turned else matrix.bfloat16()
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(3):
        squares = wide @ wide.T
        wide = QUINTIC[0] * wide + (QUINTIC[1] * squares + QUINTIC[2] * squares @ squares) @ wide
    result: torch.Tensor = wide.T if turned else wide
    return result


def shifted(padded: torch.Tensor, side: int) -> torch.Tensor:
    """Cut a window out of every padded picture, a shift's pictures together."""
    windows = padded.new_empty(len(padded), 3, side, side).contiguous(memory_format=torch.channels_last)
    rows, columns = torch.randint(0, 2 * SHIFT + 1, (2, len(padded)))
    for row in range(2 * SHIFT + 1):
        for column in range(2 * SHIFT + 1):
            chosen = (rows == row) & (columns == column)
            windows[chosen] = padded[chosen, :, row : row + side, column : column + side]
    return windows


def record_steps(learning: int, fixed: int, batch_size: int, *, half: bool) -> Iterator[None]:
    """Make steps of the record's loop: some that learn the constants of the first layer, then some that do not."""
    image_set = pictures(batch_size)
    images = torch.from_numpy(image_set.images).to(torch.bfloat16 if half else torch.float32) / 255
    labels = torch.from_numpy(image_set.known_labels())
    padded = F.pad(images.contiguous(memory_format=torch.channels_last), (SHIFT,) * 4, mode="reflect")
    network = Record()
    if half:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.bfloat16()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    filters = [one for one in network.parameters() if one.ndim == 4 and one.requires_grad]
    constants = [one for one in network.parameters() if one.ndim == 1 and one.requires_grad]
    groups = [(constants, REST_RATE), ([network.head.weight], HEAD_RATE)]
    settings = [{"params": group, "lr": rate, "weight_decay": DECAY * batch_size / rate} for group, rate in groups]
    rest = torch.optim.SGD(settings, momentum=REST_MOMENTUM, nesterov=True, fused=True)
    muon = Filters(filters)
    for step in range(learning + fixed):
        inputs = shifted(padded, image_set.shape[1])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not half):
            logits = network(inputs, learns_whitening=step < learning)
            loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING, reduction="sum")
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        rest.step()
        muon.step()
        network.zero_grad(set_to_none=True)
        yield


def record_seconds(steps: int, batch_size: int, *, half: bool) -> float:
    """Seconds of all epochs of the record."""
    torch.set_num_threads(available_threads())
    if not half:
        keep_memory()
    seconds = turns.laps(record_steps(turns.WARM_UP + steps, steps, batch_size, half=half))
    learning, fixed = statistics.median(seconds[turns.WARM_UP : -steps]), statistics.median(seconds[-steps:])
    return (WHITENING_EPOCHS * learning + (EPOCHS - WHITENING_EPOCHS) * fixed) * NUM_IMAGES / batch_size


def training_seconds(side: str, steps: int, batch_size: int, settings: Sequence[str]) -> float:
    """Seconds of all steps of a training, by some of them, measured in this process."""
    if side == "retinula":
        return measure_speed(load_recipe("cifar10-fast", settings), steps=turns.WARM_UP + steps).seconds
    return record_seconds(steps, batch_size, half=side == "record-half")


def main() -> None:
    """Print machine and ratios."""
    parser = turns.arguments(__doc__, rounds=3)
    turns.add_sides(parser, SIDES)
    parser.add_argument("--steps", type=int, default=5, help="of each kind, that count")
    parser.add_argument("--batch", type=int, default=2000, help="pictures in a batch of the record")
    parser.add_argument("--ours", nargs="+", default=[], metavar="KEY=VALUE", help="settings of cifar10-fast")
    options = parser.parse_args()
    if options.side:
        print(training_seconds(options.side, options.steps, options.batch, options.ours))
        return
    turns.print_machine()
    words = ["benchmarks.record_step", "--steps", str(options.steps), "--batch", str(options.batch)]
    if options.ours:
        words += ["--ours", *options.ours]
    turns.compare(
        {side: [*words, "--side", side] for side in options.sides},
        options.rounds,
        lambda seconds: f"{seconds:,.0f} s for all epochs",
    )


if __name__ == "__main__":
    main()
