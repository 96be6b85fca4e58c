"""What a command imports and loads before it begins, without Python's looking for garbage among it meanwhile."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Keep the garbage collector still while what stays to the end of the command is loaded, and out of it afterwards.

    Modules are tens of thousands of objects, and next to nothing of them becomes garbage; to look through them time and
    again takes 36 ms of a first answer's half second.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
