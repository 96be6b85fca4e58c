"""Shares as people read them. Apart from the measurements, because a drawing of one photo's answer needs no torch."""


def percent(share: float) -> str:
    """Write a share, 0..1, with one decimal.

    >>> percent(0.7416)
    '74.2 %'
    """
    return f"{100 * share:.1f} %"
