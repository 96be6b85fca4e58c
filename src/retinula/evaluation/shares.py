"""Shares as people read them. Apart from the measurements, because a drawing of one photo's answer needs no torch."""


def percent(share: float) -> str:
    """Write a share, 0..1, with one decimal.

    >>> percent(0.7416)
    '74.2 %'
    """
    return f"{100 * share:.1f} %"


def sureness(share: float) -> str:
    """Write how sure an answer is, 0..1, as `percent` does, but so that nothing is rounded up to certainty.

    >>> sureness(0.99999), sureness(0.0001), sureness(0.62)
    ('over 99.9 %', 'under 0.1 %', '62.0 %')
    """
    if share >= 0.9995:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.0005 else percent(share)
