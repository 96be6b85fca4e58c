"""Shares as people read them."""


def percent(share: float, places: int = 1) -> str:
    """Write a share, 0..1, with so many decimals.

    >>> percent(0.7416), percent(0.7416, 2)
    ('74.2 %', '74.16 %')
    """
    return f"{100 * share:.{places}f} %"


def sureness(share: float) -> str:
    """Write how sure an answer is, 0..1, as `percent` does, but so that nothing is rounded up to certainty.

    >>> sureness(0.99999), sureness(0.0001), sureness(0.62)
    ('over 99.9 %', 'under 0.1 %', '62.0 %')
    """
    if share >= 0.9995:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.0005 else percent(share)
