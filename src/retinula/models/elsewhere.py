"""Networks that others publish, asked for by the names that they have there: how to get them here."""

import re

_FAMILIES = re.compile(
    r"(wide[_-]?)?res(net|next)|efficientnet|vit|deit|swin|convnext|densenet|vgg|alexnet|inception|googlenet|regnet"
    r"|mobilenet[_-]?v?[134]|shufflenet|squeezenet|yolo",
    re.IGNORECASE,
)


def known_elsewhere(name: str) -> str:
    """Say how to get others' networks, as the end of an error message; nothing of a name not known there.

    >>> known_elsewhere("resnet18")[:42], known_elsewhere("residual")
    ("; of others' networks there are those of t", '')
    """
    if not _FAMILIES.match(name):
        return ""
    return (
        "; of others' networks there are those of timm: --model timm/resnet18, for one, begins from published weights, "
        "model.name=timm/resnet18 is trained anew; or begin from a run of yours with --model RUN"
    )
