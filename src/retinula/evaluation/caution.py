"""How far what a closer look finds can be believed: it finds by a model's answers, and those of a bad one say little.

The same words for the terminal and for the page.
"""

from retinula.evaluation.results import ClassificationResult
from retinula.words import percent, plural

HARDLY = 0.1  # of the way from the best blind guess to all right: not gone so far, answers say nothing


def is_near_chance(result: ClassificationResult) -> bool:
    """Tell whether a model, as far as so many pictures can say, is hardly more often right than a blind guess."""
    low, _ = result.accuracy_interval
    return low < result.chance + HARDLY * (1 - result.chance)


def caution(result: ClassificationResult) -> str:
    """Say how far to believe what was found among the pictures that a model was measured on."""
    if is_near_chance(result):
        return (
            f"With {percent(result.accuracy)} of {plural(result.num_images, 'picture')} right it can hardly be told "
            f"from a blind guess ({percent(result.chance)}): what is found by its answers means nothing."
        )
    return "Look before you believe it: rare kinds are among them, and a weak model doubts much that is right."
