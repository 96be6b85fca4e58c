"""Which pictures of a training set are most like another, in the eyes of a network."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray

from retinula.images import Images, ImageSet, copied, drawn
from retinula.serving.served import Similar
from retinula.trained.model_file import Model

SHOWN = 6


class Neighbours:
    """Pictures to be found, and what the network makes of each: its embedding, of length 1."""

    def __init__(self, model: Model, train_set: ImageSet, number: int, seed: int = 0):
        """Compute the embeddings of so many pictures, drawn by chance; of all where there are fewer.

        Args:
            model: a classifier with a linear layer at its end.
            train_set: pictures in the model's form, with labels.
            number: how many.
            seed: of the drawing.

        Raises:
            InputError: the network has no linear layer, or the pictures another form.
        """
        chosen = drawn(len(train_set), number, seed)  # in order, as files that are mapped from the disk are read best
        self._model = model
        self._images = copied(train_set.images, chosen)
        self._labels: NDArray[np.int64] = train_set.known_labels()[chosen]
        self._classes = train_set.classes
        self._embeddings = F.normalize(model.features(self._images), dim=1)

    def __len__(self) -> int:
        return len(self._images)

    def of(self, images: Images) -> list[list[Similar]]:
        """Find those most like each of `images`, uint8 `[N, C, H, W]`, the likest first."""
        likeness = F.normalize(self._model.features(images), dim=1) @ self._embeddings.T
        found = likeness.topk(min(SHOWN, len(self)), dim=1)
        return [
            [self._similar(index, value) for index, value in zip(indices, values, strict=True)]
            for indices, values in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]

    def _similar(self, index: int, likeness: float) -> Similar:
        seen = self._model.preprocess.centre(self._images[index])
        return Similar(seen, self._classes[self._labels[index]], likeness)
