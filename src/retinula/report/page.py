"""The page: all parts of a report laid out in one HTML file that needs nothing else.

Class names and file names are foreign text: the template escapes all of it, and the page forbids itself any address
and any script but its own, which it knows by its hash.
"""

import base64
import hashlib
import shlex
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from retinula.durable import explained, write_bytes
from retinula.errors import InputError
from retinula.evaluation.text import verdict
from retinula.plots.figure import duration
from retinula.report.contents import Contents, Progress, gather
from retinula.run import Run
from retinula.version import __version__

FILE_NAME = "report.html"
MOST_BYTES = 8_000_000  # of a page; what its pictures may take is set with the sheets
TEMPLATES = "pages"


def write_report(run: Run, file: Path | None = None, progress: Progress | None = None) -> tuple[Path, Contents]:
    """Write the page of a finished run, and return its file and what it shows.

    Args:
        run: a finished run; nothing else in it is changed.
        file: where the page goes; into the run's folder where None.
        progress: told how far loading and measuring are.

    Raises:
        InputError: the run is not finished, or the file is a folder.
        RetinulaError: the disk refuses.
    """
    file = file or run.path / FILE_NAME
    if file.is_dir():
        raise InputError(f"{file} is a folder; name a file, as in --out {file / FILE_NAME}")
    with explained(file):  # before the work
        file.parent.mkdir(parents=True, exist_ok=True)
    contents = gather(run, progress)
    write_bytes(file, render(contents).encode())
    return file, contents


def render(contents: Contents) -> str:
    """Return the page as HTML."""
    script, style = _own("page.js"), _own("page.css")
    page = environment().get_template("page.html")
    return page.render(
        c=contents,
        t=contents.training,
        a=contents.answers,
        interval=contents.answers.result.accuracy_interval if contents.answers else None,
        verdict=verdict(contents.answers.result.calibration) if contents.answers else "",
        behind=_behind(contents),
        style=Markup(style),  # noqa: S704  # a file of this package, without foreign text
        script=Markup(script),  # noqa: S704  # likewise
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        commands=commands(contents.run, contents.task),
        python_path=repr(str(contents.run.path.resolve())),
        version=__version__,
    )


def environment() -> Environment:
    """Return what the page is made with: everything is escaped, and a name that is missing is an error."""
    made = Environment(
        loader=PackageLoader("retinula.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = lambda share, places=1: f"{100 * share:.{places}f}\u00a0%"
    made.filters["sure"] = sureness
    made.filters["count"] = lambda number: f"{number:,}"
    made.filters["duration"] = duration
    return made


def sureness(percent: float) -> str:
    r"""Write how sure an answer is, so that nothing is rounded up to certainty.

    >>> sureness(100.0), sureness(0.01), sureness(62.0)
    ('over 99.9\xa0%', 'under 0.1\xa0%', '62.0\xa0%')
    """
    if percent >= 99.95:
        return "over 99.9\u00a0%"
    return "under 0.1\u00a0%" if percent < 0.05 else f"{percent:.1f}\u00a0%"


def commands(run: Run, task: str) -> list[tuple[str, str]]:
    """Return commands that work on the run, each with what it does."""
    path = shlex.quote(str(run.path.resolve()))
    if task == "reconstruction":
        return [
            ("Give back a photo of any size", f"retinula reconstruct {path} photo.jpg --out reconstructed"),
            ("Take noise out of it", f"retinula reconstruct {path} photo.jpg --noise 0.1 --out reconstructed"),
            ("Measure it again", f"retinula evaluate {path}"),
            ("Train it anew, with another seed", f"retinula train {path}/recipe.toml seed=1"),
        ]
    return [
        ("What is in a picture", f"retinula predict {path} photo.jpg --top 3"),
        ("A folder of pictures, as a table", f"retinula predict {path} photos --csv answers.csv"),
        ("Draw what it saw and how sure it is", f"retinula predict {path} photo.jpg --plot answers"),
        ("Look inside", f"retinula explain {path} photo.jpg --out explained"),
        (
            "Measure it on pictures of your own, a folder a class",
            f"retinula evaluate {path} --data ./others --out other",
        ),
        ("Train on pictures of your own, beginning here", f"retinula train ./photos --model {path}"),
    ]


def _behind(contents: Contents) -> dict[str, object]:
    """Return what the script needs to show the pictures behind a cell: plain values, which the template escapes."""
    part, sheet = contents.answers, contents.pictures
    if part is None or sheet is None:
        return {}
    cells = {key: [(one.place, one.index, one.sure) for one in shown] for key, shown in part.pictures.items()}
    counts = {f"{true}-{answer}": int(part.result.confusion[true, answer]) for true, answer in map(_pair, cells)}
    geometry = {key: value for key, value in asdict(sheet).items() if key != "uri"}
    return {"classes": part.classes, "cells": cells, "counts": counts, "sheet": geometry}


def _pair(key: str) -> tuple[int, int]:
    true, answer = key.split("-")
    return int(true), int(answer)


def _own(name: str) -> str:
    return (resources.files("retinula.report") / TEMPLATES / name).read_text(encoding="utf-8").strip()
