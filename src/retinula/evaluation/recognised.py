"""What of some pictures a model has learned: one value, which a measurement and a closer look carry.

Knows nothing of how that is found out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Learned:
    """What a model has learned of some pictures; of none of them, as far as anybody knows, unless told otherwise.

    Attributes:
        from_these: whether it learned from these very ones: its own, or the same set under another name.
        each: of each picture whether it learned one equal in every pixel, bool `[N]`; None where nobody knows.
        at_least: whether it learned others, too, that cannot be compared with these, so that `each` may lack some.
    """

    from_these: bool = False
    each: NDArray[np.bool_] | None = None
    at_least: bool = False

    @property
    def number(self) -> int | None:
        """How many of the pictures it has learned, at least; None where nobody knows."""
        return None if self.each is None else int(self.each.sum())

    @property
    def is_all_known(self) -> bool:
        """Whether it is known of each of the pictures that it was learned, or that it was not."""
        return self.from_these or (self.each is not None and not self.at_least)

    def by_heart(self, num_images: int) -> NDArray[np.bool_]:
        """Say of each of the pictures, so many, whether it is known to be learned: bool `[N]`."""
        return np.full(num_images, self.from_these) if self.each is None else self.each


NOTHING_KNOWN = Learned()
