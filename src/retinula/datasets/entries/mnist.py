"""The handwritten digits of MNIST, and the clothes that were made to take their place."""

from typing import Final

from retinula.datasets.entry import Entry, loose_files

_MNIST: Final = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "http://yann.lecun.com/exdb/mnist",
)
_FASHION: Final = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
)

_TRAIN_IMAGES: Final = "train-images-idx3-ubyte.gz"
_TRAIN_LABELS: Final = "train-labels-idx1-ubyte.gz"
_TEST_IMAGES: Final = "t10k-images-idx3-ubyte.gz"
_TEST_LABELS: Final = "t10k-labels-idx1-ubyte.gz"


MNIST: Final = Entry(
    name="mnist",
    about="70,000 handwritten digits",
    classes=tuple("0123456789"),
    counts={"train": 60_000, "test": 10_000},
    channels=1,
    size=(28, 28),
    mean=(0.1307,),
    deviation=(0.3081,),
    licence="CC BY-SA 3.0",
    citation=(
        "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document Recognition, "
        "Proceedings of the IEEE 86(11), 1998"
    ),
    homepage="http://yann.lecun.com/exdb/mnist/",
    family="idx",
    archive=loose_files(
        "mnist",
        _MNIST,
        (
            (_TRAIN_IMAGES, 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (_TRAIN_LABELS, 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (_TEST_IMAGES, 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (_TEST_LABELS, 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        folders=("MNIST", "MNIST/raw"),
        # Unpacked.
        same={
            _TRAIN_IMAGES: ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",),
            _TRAIN_LABELS: ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",),
            _TEST_IMAGES: ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",),
            _TEST_LABELS: ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",),
        },
    ),
)

FASHION_MNIST: Final = Entry(
    name="fashion-mnist",
    about="70,000 pictures of ten kinds of clothes, shoes and bags",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    counts={"train": 60_000, "test": 10_000},
    channels=1,
    size=(28, 28),
    mean=(0.2860,),
    deviation=(0.3530,),
    licence="MIT",
    citation=(
        "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
        "Algorithms, arXiv:1708.07747, 2017"
    ),
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    family="idx",
    archive=loose_files(
        "fashion-mnist",
        _FASHION,
        (
            (_TRAIN_IMAGES, 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (_TRAIN_LABELS, 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (_TEST_IMAGES, 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (_TEST_LABELS, 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        folders=("FashionMNIST", "FashionMNIST/raw", "data/fashion"),
        # First as Debian's package dataset-fashion-mnist packs them, then unpacked.
        same={
            _TRAIN_IMAGES: (
                "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            _TRAIN_LABELS: (
                "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            _TEST_IMAGES: (
                "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            _TEST_LABELS: (
                "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        },
    ),
)
