"""A package in the layout of npm's `onnxruntime-web`, of a few bytes."""

import base64
import hashlib
import io
import tarfile
from collections.abc import Mapping

from retinula.export.browser_runtime import PROGRAM, SCRIPT, Package

CONTENT = {SCRIPT: b"export const env = {};\n", PROGRAM: b"\0asm\1\0\0\0"}


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A .tgz as `npm pack` makes them, of `package/dist/` and what else a package has."""
    content = io.BytesIO()
    others = {"package/package.json": b"{}", "package/lib/index.ts": b"", "package/dist/ort.js": b"other"}
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path, written in {**others, **{f"package/dist/{name}": each for name, each in files.items()}}.items():
            member = tarfile.TarInfo(path)
            member.size = len(written)
            archive.addfile(member, io.BytesIO(written))
    return content.getvalue()


def package_of(archive: bytes, url: str = "http://127.0.0.1:9/none.tgz") -> Package:
    """What would be known of a package whose archive is `archive`."""
    return Package(
        version="0.0.1",
        url=url,
        size=len(archive),
        sha256=hashlib.sha256(archive).hexdigest(),
        integrity=f"sha512-{base64.b64encode(hashlib.sha512(archive).digest()).decode()}",
        files={name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
    )


ARCHIVE = archive_of(CONTENT)
PACKAGE = package_of(ARCHIVE)
