"""What all tests share: no network, one kind of chance, small data."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: processes that share cores wait for each other

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest

from retinula.images import ImageSet

if TYPE_CHECKING:
    from browser_checks import Pages

# How long one example takes depends on what else the machine does.
hypothesis.settings.register_profile("retinula", deadline=None)
hypothesis.settings.load_profile("retinula")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine only."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise RuntimeError(f"a test tried to reach {address}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a cache of its own, so that none depends on what another left."""
    monkeypatch.setenv("RETINULA_CACHE", str(tmp_path / "retinula-cache"))


@pytest.fixture
def real_data() -> Path:
    """The first folder of RETINULA_DATA; without it the test is skipped and says so."""
    folders = os.environ.get("RETINULA_DATA")
    if not folders:
        pytest.skip("needs real pictures: set RETINULA_DATA")
    return Path(folders.split(os.pathsep)[0])


@pytest.fixture
def make_set() -> Callable[..., ImageSet]:
    """A maker of small sets whose classes differ in brightness, so that a network can tell them apart."""

    def make(num_images: int = 60, num_classes: int = 3, size: int = 8, channels: int = 1, seed: int = 0) -> ImageSet:
        generator = np.random.default_rng(seed)
        labels = np.arange(num_images, dtype=np.int64) % num_classes
        noise = generator.integers(0, 60, (num_images, channels, size, size))
        images = (noise + (labels * (180 // num_classes))[:, None, None, None]).astype(np.uint8)
        return ImageSet(images, labels, tuple(f"class {n}" for n in range(num_classes)), "made/train")

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for the tests of a module, which import `browser_checks` and so are skipped where there is none."""
    from browser_checks import launched

    with launched() as started:
        yield started


@pytest.fixture
def open_page(browser: Any) -> Iterator["Pages"]:
    """Opens pages, none of which may have had trouble when the test is over."""
    from browser_checks import opening

    with opening(browser) as pages:
        yield pages
