"""CIFAR-10 and CIFAR-100, and the sets made to test their models on."""

from collections.abc import Mapping
from typing import Final

from retinula.datasets.entry import Archive, Entry, loose_files

_CIFAR_LICENCE: Final = "none stated by the authors, who ask to be cited; the pictures were collected from the web"
_CIFAR_CITATION: Final = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, 2009"
_CIFAR_HOMEPAGE: Final = "https://www.cs.toronto.edu/~kriz/cifar.html"

# The authors' server is slow at times. Copies of the same bytes, pinned to a commit; whatever comes is checked.
_MIRRORS: Final = (
    "https://huggingface.co/datasets/cnak47/cv-datasets/resolve/6931f66584bf3a507711a644f6803fa5f419faf1",
    "https://huggingface.co/datasets/wyxu/dataset_copied/resolve/81a52b93ff1d1fcdf61a20d4197919c714730c2c",
    "https://huggingface.co/datasets/nakroy/cifar100-python/resolve/201a32345d2c6b970e1a36c582930c83e09c96d2",
)

# The groups of CIFAR-100 in the order of their labels; the classes in the order of theirs are these, sorted.
CIFAR100_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
_CIFAR100_PAIRS: Final = sorted((name, group) for group, names in CIFAR100_GROUPS.items() for name in names)

CIFAR10: Final = Entry(
    name="cifar10",
    about="60,000 colour photos of ten kinds of animals and vehicles",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    counts={"train": 50_000, "test": 10_000},
    channels=3,
    size=(32, 32),
    mean=(0.4914, 0.4822, 0.4465),
    deviation=(0.2470, 0.2435, 0.2616),
    licence=_CIFAR_LICENCE,
    citation=_CIFAR_CITATION,
    homepage=_CIFAR_HOMEPAGE,
    family="cifar",
    archive=Archive(
        name="cifar-10-python.tar.gz",
        size=170_498_071,
        sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        urls=(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            f"{_MIRRORS[0]}/cifar-10-python.tar.gz",
            f"{_MIRRORS[1]}/cifar-10-python.tar.gz",
        ),
        folder="cifar-10-batches-py",
        files={
            "batches.meta": "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb",
            "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
            "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
            "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
            "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
            "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
            "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
        },
    ),
)

CIFAR100: Final = Entry(
    name="cifar100",
    about="60,000 colour photos of a hundred kinds of things in twenty groups",
    classes=tuple(name for name, _ in _CIFAR100_PAIRS),
    counts={"train": 50_000, "test": 10_000},
    channels=3,
    size=(32, 32),
    mean=(0.5071, 0.4865, 0.4409),
    deviation=(0.2673, 0.2564, 0.2762),
    licence=_CIFAR_LICENCE,
    citation=_CIFAR_CITATION,
    homepage=_CIFAR_HOMEPAGE,
    family="cifar",
    superclasses=tuple(group for _, group in _CIFAR100_PAIRS),
    archive=Archive(
        name="cifar-100-python.tar.gz",
        size=169_001_437,
        sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        urls=(
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            f"{_MIRRORS[0]}/cifar-100-python.tar.gz",
            f"{_MIRRORS[2]}/cifar-100-python.tar.gz",
        ),
        folder="cifar-100-python",
        files={
            "meta": "a5d4786345c961390f865e93b434dbd5c6904ce880667e0cb888c97d449f28b9",
            "train": "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b",
            "test": "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864",
        },
    ),
)

_NEW_URLS: Final = (
    "https://raw.githubusercontent.com/modestyachts/CIFAR-10.1/master/datasets",
    "https://github.com/modestyachts/CIFAR-10.1/raw/master/datasets",
)


def _cifar10_1(name: str, about: str, count: int, files: tuple[tuple[str, int, str], ...]) -> Entry:
    return Entry(
        name=name,
        about=about,
        classes=CIFAR10.classes,
        counts={"test": count},
        channels=3,
        size=(32, 32),
        licence="MIT",
        citation=(
            "B. Recht, R. Roelofs, L. Schmidt and V. Shankar, Do CIFAR-10 Classifiers Generalize to CIFAR-10?, "
            "arXiv:1806.00451, 2018"
        ),
        homepage="https://github.com/modestyachts/CIFAR-10.1",
        archive=loose_files(
            name,
            _NEW_URLS,
            files,
            folders=("cifar10.1", "CIFAR-10.1/datasets", "CIFAR-10.1"),
        ),
        family="cifar10.1",
    )


CIFAR10_1: Final = _cifar10_1(
    "cifar10.1",
    "new test pictures for cifar10 (version 6)",
    2_000,
    (
        ("cifar10.1_v6_data.npy", 6_144_128, "2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6"),
        ("cifar10.1_v6_labels.npy", 8_128, "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448"),
    ),
)
CIFAR10_1_V4: Final = _cifar10_1(
    "cifar10.1-v4",
    "new test pictures for cifar10 (version 4)",
    2_021,
    (
        ("cifar10.1_v4_data.npy", 6_208_640, "5aaedc268df8f4cffca2ac0cf9e608ae1897a8cddb630c7a850a2ea8f6558e75"),
        ("cifar10.1_v4_labels.npy", 8_212, "1f9544300ded199539b6662364ce7fe6c2e1ea9f87408f06db4b1a6184cffb18"),
    ),
)

# The fifteen of the benchmark. Four more in the archive are meant for choosing by, and are left out.
CORRUPTIONS: Final = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
STRENGTHS: Final = 5


def _corrupted(clean: Entry, folder: str, size: int, sha256: str, record: str) -> Entry:
    return Entry(
        name=f"{clean.name}-c",
        about=f"the test pictures of {clean.name}, spoilt in 15 ways at 5 strengths",
        classes=clean.classes,
        counts={"test": len(CORRUPTIONS) * STRENGTHS * clean.counts["test"]},
        channels=3,
        size=(32, 32),
        licence="CC BY 4.0",
        citation=(
            "D. Hendrycks and T. Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and "
            "Perturbations, ICLR, 2019"
        ),
        homepage=f"https://zenodo.org/records/{record}",
        superclasses=clean.superclasses,
        archive=Archive(
            name=f"{folder}.tar",
            size=size,
            sha256=sha256,
            urls=(
                f"https://zenodo.org/records/{record}/files/{folder}.tar",
                f"https://zenodo.org/api/records/{record}/files/{folder}.tar/content",
            ),
            folder=folder,
            files=dict.fromkeys((*(f"{name}.npy" for name in CORRUPTIONS), "labels.npy"), ""),
        ),
        family="cifar-c",
        conditions=tuple(f"{name}/{strength}" for name in CORRUPTIONS for strength in range(1, STRENGTHS + 1)),
    )


CIFAR10_C: Final = _corrupted(
    CIFAR10,
    "CIFAR-10-C",
    2_918_471_680,
    "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
    "2535967",
)
CIFAR100_C: Final = _corrupted(
    CIFAR100,
    "CIFAR-100-C",
    2_918_473_216,
    "30ee6543a1bfd049fa33834b7c1ada301e7064b7fbe8fc38340eb8b62ced4b33",
    "3555552",
)
