"""What a report says of a network that gives pictures back: measures, and what became of some pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retinula.datasets.reading import SplitName
from retinula.evaluation.denoising import EXAMPLE_LEVEL
from retinula.evaluation.measuring import EXAMPLES, evaluate_known
from retinula.evaluation.recognised import NOTHING_KNOWN, Learned
from retinula.evaluation.results import ReconstructionResult
from retinula.images import ImageSet, evenly_spread
from retinula.report.sheet import Sheet, SheetPage
from retinula.runs.run import Run
from retinula.trained.model_file import Model
from retinula.transforms.levels import to_bytes

BYTES = 600_000
SIDE = 128  # pixels of a picture, at most


@dataclass(frozen=True)
class ReconstructionPart:
    """Measures as in `report.json`, rows of pictures by what they show, and the sheet they lie on."""

    measures: dict[str, Any]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    sheet: SheetPage


def reconstruction_part(
    run: Run,
    split: SplitName,
    model: Model,
    image_set: ImageSet,
    learned: Learned,
    progress: Callable[[int, int], None] | None,
) -> ReconstructionPart:
    """Take the run's own measurement where it has one, measure where it has none, and reconstruct a few pictures."""
    measures = run.evaluation(split)
    if not measures:
        measures = evaluate_known(model, image_set, learned, split=split, progress=progress).to_dict()
    chosen = evenly_spread(len(image_set), EXAMPLES)
    result = evaluate_known(model, image_set.take(chosen), NOTHING_KNOWN, split=split)
    if not isinstance(result, ReconstructionResult):
        raise TypeError(f"a {type(result).__name__} of a network that reconstructs")
    pictures = {
        "original": result.originals,
        "given back": result.results,
        f"with noise of {EXAMPLE_LEVEL}": result.noised,
        "given back from the noise": result.denoised,
    }
    height, width = result.originals.shape[2:]
    sheet = Sheet((height, width), longest=SIDE)
    rows = tuple(
        (words, tuple(sheet.add(picture) for picture in to_bytes(each).numpy())) for words, each in pictures.items()
    )
    return ReconstructionPart(measures, rows, sheet.finish(BYTES))
