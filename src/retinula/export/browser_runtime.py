"""ONNX Runtime for browsers, from the npm package `onnxruntime-web`: fetched once, verified, and kept in the cache.

It is not part of this package, since it is 14 MB of WebAssembly. Knows nothing of models and pages.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime

from retinula.datasets.archives import files_named
from retinula.datasets.download import fetch
from retinula.datasets.entry import Archive
from retinula.datasets.load import cache_folder
from retinula.datasets.reading import Progress
from retinula.errors import InputError
from retinula.files.durable import reading

SCRIPT: Final = "ort.wasm.bundle.min.mjs"
PROGRAM: Final = "ort-wasm-simd-threaded.wasm"
LICENCES: Final = ("LICENSE", "ThirdPartyNotices.txt")


@dataclass(frozen=True)
class Package:
    """A version of the npm package.

    Attributes:
        version: which.
        url: of its archive in the registry.
        size: of the archive, in bytes.
        sha256: of the archive.
        integrity: sha512 of the archive, as npm states it: `npm view onnxruntime-web@VERSION dist.integrity`.
        files: the sha256 of each file of it that is used.
    """

    version: str
    url: str
    size: int
    sha256: str
    integrity: str
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """Of the archive."""
        return f"onnxruntime-web-{self.version}.tgz"


ONNXRUNTIME_WEB: Final = Package(
    version="1.30.0",
    url="https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-1.30.0.tgz",
    size=33_106_585,
    sha256="d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
    integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    files={
        SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        PROGRAM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    },
)


@dataclass(frozen=True)
class BrowserRuntime:
    """What a browser needs to run models.

    Attributes:
        version: of ONNX Runtime.
        script: the JavaScript module.
        program: the WebAssembly that it loads.
        licences: texts by the names of their files.
    """

    version: str
    script: bytes
    program: bytes
    licences: Mapping[str, bytes]


def browser_runtime(
    source: Path | None = None, progress: Progress | None = None, *, package: Package | None = None
) -> BrowserRuntime:
    """Read the runtime.

    Args:
        source: the archive of the package, or the package unpacked; from the cache or the registry where None.
        progress: told how far the download is.
        package: the version; the one that the page is tested with where None.

    Raises:
        InputError: `source` is missing, or not that version of the package.
        RetinulaError: it cannot be downloaded.
    """
    package = package or ONNXRUNTIME_WEB
    if source is None or not source.is_dir():
        source = _archive(source, progress, package)
    else:
        # As unpacked by hand, or as npm installs it.
        source = next((place for place in (source / "package/dist", source / "dist") if place.is_dir()), source)
    files = {}
    for member in files_named(source, package.files):
        content = member.read()
        if hashlib.sha256(content).hexdigest() != package.files[member.name]:
            raise InputError(f"{source}: {member.name} is not that of onnxruntime-web {package.version}")
        files[member.name] = content
    if missing := package.files.keys() - files.keys():
        raise InputError(f"{source} is not onnxruntime-web {package.version}: it has no {sorted(missing)[0]}")
    return BrowserRuntime(package.version, files[SCRIPT], files[PROGRAM], _licences())


def _archive(source: Path | None, progress: Progress | None, package: Package) -> Path:
    """Return the archive, verified before anything opens it."""
    if source is None:
        source = fetch(
            Archive(package.name, package.size, package.sha256, (package.url,), "", {}), cache_folder(), progress
        )
    with reading(source):
        right = source.stat().st_size == package.size and source.is_file()
        if right:
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha512").digest()
            right = f"sha512-{base64.b64encode(digest).decode()}" == package.integrity
    if not right:
        raise InputError(
            f"{source} is not {package.name} as npm publishes it; get it with: "
            f"npm pack onnxruntime-web@{package.version}"
        )
    return source


def _licences() -> dict[str, bytes]:
    """Read the licence and the notices of others' code; the npm package has none, that for Python has them."""
    folder = Path(onnxruntime.__file__).parent
    try:
        return {name: (folder / name).read_bytes() for name in LICENCES}
    except OSError as error:
        raise InputError(
            f"the installed ONNX Runtime comes without {error.filename}, which has to go with it; "
            "pip install --force-reinstall onnxruntime"
        ) from error
