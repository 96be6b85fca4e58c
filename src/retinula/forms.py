"""The forms that pictures are brought to, by name, and how large: what recipes, readers and models all go by.

Names and bounds only, for whoever must load neither NumPy nor Pillow; `shrinking` does what they say.
"""

from typing import Final, Literal

Resize = Literal["squash", "crop", "pad"]
Resample = Literal["box", "bilinear", "bicubic", "lanczos"]
Averaging = Literal["none", "mirror", "mirror-shift"]  # over which pictures made of one the answer is the mean

LARGEST_SIDE: Final = 4096  # pixels that pictures of a data set and inputs of a model are brought to
MOST_PARTS: Final = 8  # of a photo: scales, or zooms
