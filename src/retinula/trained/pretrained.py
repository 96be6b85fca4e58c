"""Published weights of timm's networks as model files: found or fetched once, then kept in the cache.

Such a file is like any other model file: what begins from it, looks into it or exports it knows nothing of timm.
"""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, cast

from retinula.datasets.load import cache_folder, search_folders
from retinula.errors import RetinulaError, first_line
from retinula.extras import load
from retinula.files.durable import make_folder, sha256_of
from retinula.files.tensor_file import all_tensors, opened_tensors
from retinula.forms import Resample
from retinula.models.timm_networks import PREFIX, Published, class_names, published, with_weights
from retinula.trained.model_file import Model
from retinula.transforms.preprocess import Preprocess

FOLDER: Final = "models"  # in the cache
_FILE: Final = "model.safetensors"  # of every repository that timm publishes


def pretrained_file(name: str, *, search: Sequence[Path] | None = None, cache_dir: Path | None = None) -> Path:
    """Return the model file of published weights; made at first from what is found in folders, or else fetched.

    Args:
        name: such as `timm/resnet18.a1_in1k`; without a tag the weights that timm prefers.
        search: folders to look in for the weights as they are published, `resnet18.a1_in1k.safetensors`, instead of
            those in RETINULA_DATA.
        cache_dir: keeps the model file, instead of the usual cache.

    Raises:
        InputError: timm is not installed or has no such weights, or the file that was found is none of them.
        RetinulaError: they cannot be fetched, or the model file not be written.
    """
    weights = published(name)
    folder = cache_folder(cache_dir) / FOLDER
    version = metadata.version("timm")  # another one may build other layers, and turn the same weights into others
    path = folder / f"{PREFIX.rstrip('/')}-{version}-{weights.name}.safetensors"
    if not path.is_file():
        model = pretrained_model(weights, _found(weights, search_folders(search)) or _fetched(weights))
        make_folder(folder)
        model.save(path)
    return path


def pretrained_model(weights: Published, path: Path) -> Model:
    """Return published weights as a model that tells the classes of ImageNet.

    Args:
        weights: which they are.
        path: of the file as it was published.

    Raises:
        InputError: the file cannot be read, is none, or has other weights.
    """
    channels, height, width = weights.shape
    with opened_tensors(path) as file:
        tensors = all_tensors(file)
    network = with_weights(weights, tensors)
    return Model(
        network=network.eval().requires_grad_(False),
        network_name=f"{PREFIX}{weights.name.partition('.')[0]}",
        arguments={},
        classes=class_names(weights.num_classes),
        preprocess=Preprocess(
            channels, (height, width), weights.mean, weights.std, resample=cast("Resample", weights.resample)
        ),
        provenance={
            "weights": f"{PREFIX}{weights.name}",
            "repository": weights.repository,
            "weights_sha256": sha256_of(path),
            "licence": weights.licence,
        },
    )


def _found(weights: Published, folders: Sequence[Path]) -> Path | None:
    places = (folder / f"{weights.name}.safetensors" for folder in folders)
    return next((place for place in places if place.is_file()), None)


def _fetched(weights: Published) -> Path:
    hub = load("models", "fetching weights", "huggingface_hub")
    try:
        return Path(hub.hf_hub_download(weights.repository, _FILE))
    except Exception as error:  # the Hub's library lets through what those raise that it is made of
        raise RetinulaError(
            f"cannot fetch {weights.repository} from the Hugging Face Hub ({first_line(error)}); get its {_FILE} "
            f"elsewhere, and put it as {weights.name}.safetensors into a folder that RETINULA_DATA names"
        ) from error
