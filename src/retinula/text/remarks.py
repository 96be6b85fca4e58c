"""Lines about the work on standard error, so that what is printed as its result stays by itself."""

import sys
from contextlib import suppress

from retinula.text.names import printable_text


def remark(text: str) -> None:
    """Print a line about the work, which is not part of the result; where nobody takes it, it is lost.

    Whoever reads it may stop, close it, or take less than all of Unicode: that is no reason to lose a training.
    """
    if sys.stderr is not None:  # as it is in a program of windows
        with suppress(OSError, ValueError):
            encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
            line = printable_text(text).encode(encoding, "backslashreplace").decode(encoding)
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
