"""What recipes and whoever does as they say go by alike: choices by name, and how large pictures may be.

Names and bounds only, for whoever must load neither NumPy, Pillow nor torch; what each means is told where it is done.
"""

from typing import Final, Literal

Resize = Literal["squash", "crop", "pad"]
Resample = Literal["box", "bilinear", "bicubic", "lanczos"]
LabelKind = Literal["fine", "coarse"]
Flip = Literal["none", "random", "alternating"]
Sampling = Literal["epoch", "fixed", "replacement"]
Precision = Literal["auto", "float32", "bfloat16"]
Averaging = Literal["none", "mirror", "mirror-shift"]  # over which pictures made of one the answer is the mean

LARGEST_SIDE: Final = 4096  # pixels that pictures of a data set and inputs of a model are brought to
MOST_PARTS: Final = 8  # of a photo: scales, or zooms
