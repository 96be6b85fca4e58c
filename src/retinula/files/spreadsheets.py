"""Names in tables that spreadsheets open: kept from being computed as formulas, and read back as they were."""


def harmless(cell: str, prefix: str) -> str:
    """Keep spreadsheets from taking a name for a formula; before a path `./` does that and leaves it a path.

    >>> harmless("=1+1", "'"), harmless("-1.png", "./"), harmless("cat", "'")
    ("'=1+1", './-1.png', 'cat')
    """
    return prefix + cell if _is_formula(cell) else cell


def original(cell: str) -> str:
    """Return the name that `harmless` wrote with an apostrophe before it, if it did.

    >>> original("'=1+1"), original("'tis"), original("cat")
    ('=1+1', "'tis", 'cat')
    """
    return cell[1:] if cell[:1] == "'" and _is_formula(cell[1:]) else cell


def _is_formula(cell: str) -> bool:
    """Tell whether a spreadsheet computes a cell, or would without the apostrophes before it."""
    return len(cell) > 1 and cell.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r"))
