"""A network before the first step of its training: built, seen to fit the recipe, and given what it begins with."""

import copy
from collections.abc import Collection

import numpy as np
import torch
from torch import nn

from retinula.errors import InputError
from retinula.images import ImageSet, copied, evenly_spread
from retinula.models.code_autoencoder import CodeAutoencoder
from retinula.models.linear_code import principal_components
from retinula.models.timm_networks import check_inputs, is_of_timm
from retinula.models.whitened import WhitenedNetwork
from retinula.recipe.recipe import Recipe
from retinula.training.body import freeze_body, train_mode
from retinula.training.plan import build_network
from retinula.transforms.batches import seed_for
from retinula.transforms.preprocess import Preprocess

PICTURES = 5000  # that patches are taken of: a covariance of few values needs no more
FLOOR = 5e-4  # of a variance, so that directions that hardly vary are not blown up (Jordan 2024)


def first_network(recipe: Recipe, train_set: ImageSet, preprocess: Preprocess) -> nn.Module:
    """Build the recipe's network with its first weights, and see that the recipe can be trained with it.

    Args:
        recipe: by whose seed the weights are drawn.
        train_set: has the classes.
        preprocess: makes the network's inputs.

    Raises:
        InputError: it cannot be built, or not be trained as the recipe says.
    """
    torch.manual_seed(seed_for(recipe.seed, "weights"))
    network = build_network(recipe, len(train_set.classes), preprocess)
    if is_of_timm(recipe.model.name):
        check_inputs(recipe.model.name, network, preprocess.input_shape)
    check_sizes(network, recipe.model.name, preprocess.input_shape, [side for _, side in recipe.training.sizes])
    if recipe.model.freeze:
        freeze_body(network)
    check_single(network, recipe, preprocess.input_shape)
    return network


def begin_from_pictures(network: nn.Module, train_set: ImageSet, preprocess: Preprocess) -> None:
    """Set the layers that are worked out from pictures; a network without such layers stays as it is."""
    if isinstance(network, CodeAutoencoder):
        network.start_from(*principal_components(train_set, network.numbers, preprocess))
    elif isinstance(network, WhitenedNetwork):
        network.start_from(*patch_covariance(train_set, preprocess, network.patch), FLOOR)


def patch_covariance(train_set: ImageSet, preprocess: Preprocess, patch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the square patches of inputs vary along: eigenvalues `[D]` and eigenvectors `[D, D]`, one a row.

    D is the number of values of a patch, channels first. The widest direction comes first, and each points to where
    its sum is not negative, so that equal pictures give equal directions.

    Args:
        train_set: of which up to 5,000 pictures are looked at, evenly spread.
        preprocess: makes inputs of them.
        patch: side of the patches, at most that of the inputs.
    """
    values = train_set.shape[0] * patch**2
    products, total, count = torch.zeros(values, values, dtype=torch.float64), torch.zeros(values), 0
    places = evenly_spread(len(train_set), PICTURES)
    for some in np.array_split(places, -(-len(places) // 500)):
        images = torch.from_numpy(copied(train_set.images, some))
        inputs = preprocess.inputs(images)
        patches = nn.functional.unfold(inputs, patch).transpose(1, 2).reshape(-1, values)
        products += (patches.T @ patches).double()
        total += patches.sum(dim=0)
        count += len(patches)
    mean = total.double() / count
    eigenvalues, vectors = torch.linalg.eigh(products / count - mean.outer(mean))
    directions = vectors.T.flip(0)
    signs = torch.where(directions.sum(dim=1) < 0, -1.0, 1.0)
    return eigenvalues.flip(0).clamp(min=0).float(), (directions * signs[:, None]).float()


def check_sizes(network: nn.Module, name: str, input_shape: tuple[int, int, int], sides: Collection[int]) -> None:
    """See that a network takes inputs of all sides that its training is to go through.

    Args:
        network: left as it is.
        name: of the network, for messages.
        input_shape: channels, height and width that it is asked with once it is trained.
        sides: of squares.

    Raises:
        InputError: it does not, or what it is asked with is no square, whose proportions it would never see.
    """
    channels, height, width = input_shape
    if sides and height != width:
        raise InputError(
            f"training.sizes are sides of squares, and the inputs are of {height}x{width}: leave it out, "
            "or give inputs.size or inputs.crop of a square"
        )
    was_training = network.training
    network.eval()
    try:
        for side in sides:
            with torch.inference_mode():
                network(torch.zeros(1, channels, side, side))
    except (RuntimeError, AssertionError) as error:  # the latter from networks of timm, of a size that is fixed
        raise InputError(
            f"{name} takes no inputs of {side}x{side} pixels once it is built for others: change training.sizes"
        ) from error
    finally:
        network.train(was_training)


def check_single(network: nn.Module, recipe: Recipe, input_shape: tuple[int, int, int]) -> None:
    """See that a network can learn from batches of a single picture, where the recipe asks for such.

    Normalisation over a batch can, as long as the maps that it sees have more than one pixel.

    Raises:
        InputError: it cannot.
    """
    if recipe.training.batch_size > 1:
        return
    tried = copy.deepcopy(network)  # whose statistics may change
    train_mode(tried)
    try:
        for height, width in [(side, side) for _, side in recipe.training.sizes] or [input_shape[1:]]:
            with torch.no_grad():
                tried(torch.zeros(1, input_shape[0], height, width))
    except ValueError as error:
        raise InputError(
            f"{recipe.model.name} normalises maps of a single pixel at inputs of {height}x{width}, "
            "for which one picture is too few: give a training.batch_size of 2 or more"
        ) from error
