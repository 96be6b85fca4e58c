from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from retinula.errors import InputError
from retinula.images import ImageSet
from retinula.models.linear_code import linear_code_psnr, principal_components
from retinula.transforms.preprocess import Preprocess

MakeSet = Callable[..., ImageSet]
WHOLE = Preprocess(1, (8, 8), (0.0,), (1.0,))


def test_components_are_those_of_scikit_learn(make_set: MakeSet) -> None:
    image_set = make_set(60)
    mean, components = principal_components(image_set, 5, WHOLE)
    flat = image_set.images.reshape(60, -1) / 255
    theirs = PCA(5).fit(flat)
    assert np.allclose(mean, theirs.mean_, atol=1e-6)
    assert np.allclose(np.abs(components.numpy() @ theirs.components_.T), np.eye(5), atol=1e-3)
    assert (components.sum(dim=1) >= 0).all()
    assert torch.allclose(components @ components.T, torch.eye(5), atol=1e-5)


def test_more_numbers_keep_more_and_all_of_them_everything(make_set: MakeSet) -> None:
    train, test = make_set(60), make_set(30, seed=4)
    few, more = (linear_code_psnr(train, test, numbers, WHOLE) for numbers in (2, 20))
    assert few < more
    assert linear_code_psnr(train, train, 8 * 8, WHOLE) > 60


def test_of_cropped_pictures_it_is_that_of_their_centres(make_set: MakeSet) -> None:
    train, test = make_set(60), make_set(30, seed=4)
    centre, other = (replace(each, images=each.images[:, :, 2:6, 1:7].copy()) for each in (train, test))
    of_centres = Preprocess(1, (4, 6), (0.0,), (1.0,))
    cropped = replace(WHOLE, crop=(4, 6))
    assert linear_code_psnr(train, test, 5, cropped) == linear_code_psnr(centre, other, 5, of_centres)
    for given, expected in zip(
        principal_components(train, 5, cropped), principal_components(centre, 5, of_centres), strict=True
    ):
        assert torch.equal(given, expected)
    with pytest.raises(InputError, match="1 to 24 numbers, not 25"):
        linear_code_psnr(train, test, 25, cropped)


def test_what_cannot_be_is_refused(make_set: MakeSet) -> None:
    image_set = make_set(20)
    with pytest.raises(InputError, match="1 to 64 numbers, not 65"):
        linear_code_psnr(image_set, image_set, 65, WHOLE)
    with pytest.raises(InputError, match="another size"):
        linear_code_psnr(image_set, make_set(20, size=12), 3, WHOLE)
