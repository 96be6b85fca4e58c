"""What a report shows of the map of pictures: where each lies, what it is, what was answered, the picture itself."""

from dataclasses import dataclass

from retinula.evaluation.embedding import EmbeddingMap
from retinula.evaluation.results import ClassificationResult
from retinula.images import Images
from retinula.report.sheet import Sheet, SheetPage

WIDTH, HEIGHT, EDGE = 640.0, 520.0, 12.0  # of the box in which it is drawn, and of the empty rim in it
SIDE = 32  # pixels of a picture on its sheet, at most


@dataclass(frozen=True)
class Point:
    """A picture on the map: where it is drawn, its number, its class, the answer, how sure, 0..1, its place."""

    x: float
    y: float
    index: int
    label: int
    answer: int
    sure: float
    place: int


@dataclass(frozen=True)
class MapPart:
    """The map.

    Attributes:
        method: how it was made.
        all_equal: whether all pictures lie at one place.
        classes: the number and name of each class that is on it.
        points: of each of these classes, by its number.
        sheet: of the pictures.
    """

    method: str
    all_equal: bool
    classes: tuple[tuple[int, str], ...]
    points: dict[int, tuple[Point, ...]]
    sheet: SheetPage


def map_part(placed: EmbeddingMap, result: ClassificationResult, images: Images, most_bytes: int) -> MapPart:
    """Lay out the map of pictures that were asked about.

    Args:
        placed: where they lie.
        result: of them.
        images: uint8 `[N, C, H, W]`.
        most_bytes: for the sheet.

    Raises:
        IndexError: the map is of other pictures.
    """
    sheet = Sheet((images.shape[2], images.shape[3]), longest=SIDE)
    sure = result.sure.tolist()
    points: dict[int, list[Point]] = {}
    for index, (x, y) in zip(placed.indices.tolist(), placed.points.tolist(), strict=True):
        label = int(result.labels[index])
        points.setdefault(label, []).append(
            Point(
                x=round(EDGE + x * (WIDTH - 2 * EDGE), 1),
                y=round(HEIGHT - EDGE - y * (HEIGHT - 2 * EDGE), 1),
                index=index,
                label=label,
                answer=int(result.predicted[index]),
                sure=sure[index],
                place=sheet.add(images[index]),
            )
        )
    return MapPart(
        placed.method,
        placed.all_equal,
        tuple((number, result.classes[number]) for number in sorted(points)),
        {number: tuple(points[number]) for number in sorted(points)},
        sheet.finish(most_bytes),
    )
