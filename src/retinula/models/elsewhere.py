"""Networks that others publish, and this program has not: what is said to those who ask for one by its name."""

import re

_FAMILIES = re.compile(
    r"(wide[_-]?)?res(net|next)|efficientnet|vit|deit|swin|convnext|densenet|vgg|alexnet|inception|googlenet|regnet"
    r"|mobilenet[_-]?v?[134]|shufflenet|squeezenet|yolo",
    re.IGNORECASE,
)


def known_elsewhere(name: str) -> str:
    """Say that there are none of others' networks, as the end of an error message; nothing of a name not known there.

    >>> known_elsewhere("resnet18")[:53], known_elsewhere("residual")
    ('; no networks trained elsewhere are shipped: the near', '')
    """
    if not _FAMILIES.match(name):
        return ""
    return (
        "; no networks trained elsewhere are shipped: the nearest is residual, or begin from a run of yours with "
        "--model RUN"
    )
