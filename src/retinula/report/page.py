"""The page: all parts of a report laid out in one HTML file that needs nothing else.

Class names and file names are foreign text: the template escapes all of it, and the page forbids itself any address
and any script but its own, which it knows by its hash.
"""

import base64
import hashlib
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from retinula.datasets.reading import Progress
from retinula.errors import InputError
from retinula.evaluation.caution import caution, is_near_chance
from retinula.evaluation.text import AVERAGED_OVER, error_by_chance, rare_labels, verdict
from retinula.files.durable import check_destination, explained, write_bytes
from retinula.report.contents import Contents, deep_look, gather
from retinula.report.grid import grid
from retinula.report.mapped import HEIGHT, WIDTH
from retinula.report.pictures import mixes
from retinula.runs.run import Run
from retinula.text.names import shortened
from retinula.text.words import duration, sureness
from retinula.version import __version__

MOST_BYTES = 8_000_000  # of a page; what its pictures may take is set with the sheets
TEMPLATES = "pages"
# Marks of the map, as paths about their middle: told apart by form where colours are not.
FORMS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.5-3.5h7v7h-7z",
    "M0-5L5 0 0 5-5 0z",
    "M0-4.8L4.8 3.8h-9.6z",
    "M0 4.8L4.8-3.8h-9.6z",
    "M-1.6-5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
    "M0-5.4L1.5-1.8 5.3-1.6 2.4 1 3.3 4.8 0 2.6-3.3 4.8-2.4 1-5.3-1.6-1.5-1.8z",
    "M-4.6-2.6L-2.6-4.6 0-2 2.6-4.6 4.6-2.6 2 0 4.6 2.6 2.6 4.6 0 2-2.6 4.6-4.6 2.6-2 0z",
)
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|dB\b)")


def write_report(
    run: Run,
    file: Path | None = None,
    progress: Progress | None = None,
    *,
    deep: bool = False,
    remark: Callable[[str], None] | None = None,
) -> tuple[Path, Contents]:
    """Write the page of a finished run, and return its file and what it shows.

    Args:
        run: a finished run; nothing else in it is changed, but for what a closer look finds.
        file: where the page goes; into the run's folder where None.
        progress: told how far loading and measuring are.
        deep: whether to look closer first, for what nobody has measured yet.
        remark: as of `gather`.

    Raises:
        InputError: the run is not finished, the file is a folder, or there is a page already and no pictures are at
            hand for a new one; or nothing can be looked at closer.
        RetinulaError: the disk refuses.
    """
    file = file or run.report_page
    if file.is_dir():
        raise InputError(f"{file} is a folder; name a file, as in --out {file / run.report_page.name}")
    with explained(file):  # before the work
        file.parent.mkdir(parents=True, exist_ok=True)
    check_destination(file)
    contents = gather(run, progress, deep=deep, remark=remark)
    # What is written to may be a file that a shell has just emptied.
    if contents.pictures is None and file.is_file() and file.stat().st_size:
        raise InputError(
            f"{contents.missing['measured']}; {file} stays as it is: for a page without pictures name a new file, "
            "with --out FILE"
        )
    # A path that is no text, as the file system may have, cannot be written as it is.
    write_bytes(file, render(contents).encode(errors="backslashreplace"))
    return file, contents


def render(contents: Contents) -> str:
    """Return the page as HTML."""
    script, style = _own("page.js"), _own("page.css")
    page = environment().get_template("page.html")
    result = contents.answers.result if contents.answers else None
    return page.render(
        c=contents,
        t=contents.training,
        a=contents.answers,
        interval=result.accuracy_interval if result else None,
        places=1 if result is None or result.plain_accuracy is None else 2,  # as two that lie close together need
        averaged=AVERAGED_OVER[result.tta] if result else "",
        verdict=verdict(result.calibration) if result else "",
        error_by_chance=error_by_chance(result.calibration) if result else "",
        caution=caution(result) if result else "",
        by_chance=is_near_chance(result) if result else False,
        mixes=mixes(contents.recipe),
        grid=grid(contents.answers.classes) if contents.answers and contents.answers.dots else None,
        behind=_behind(contents),
        behind_map=_behind_map(contents),
        forms=FORMS,
        map_box=(WIDTH, HEIGHT),
        deep=deep_look(contents.run),
        style=Markup(style),  # noqa: S704  # a file of this package, without foreign text
        script=Markup(script),  # noqa: S704  # a file of this package, too
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        commands=commands(contents.run, contents.task, denoises=contents.recipe.augment.noise is not None),
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
    made.filters["name"] = _foreign
    made.filters["prose"] = lambda text: _BEFORE_UNIT.sub("\u00a0", text)
    made.filters["percent"] = lambda share, places=1: f"{100 * share:.{places}f}\u00a0%"
    made.filters["sure"] = lambda share: sureness(share).replace(" ", "\u00a0")
    made.filters["rare_labels"] = rare_labels
    made.filters["shortened"] = shortened
    made.filters["count"] = lambda number: f"{number:,}"
    made.filters["duration"] = duration
    return made


def _foreign(name: str) -> Markup:
    """Return a name that comes from outside: whichever way it is written, what stands around it keeps its order.

    It may break after `_`, as no browser does by itself.
    """
    return Markup("<bdi>{}</bdi>").format(Markup("_<wbr>").join(map(escape, name.split("_"))))


def commands(run: Run, task: str, *, denoises: bool = False) -> list[tuple[str, str]]:
    """Return commands that work on the run, each with what it does.

    Args:
        run: a finished run.
        task: `classification` or `reconstruction`.
        denoises: whether it was trained to take noise out.
    """
    path = shlex.quote(str(run.path.resolve()))
    if task == "reconstruction":
        given_back = "Take noise out of a photo of any size" if denoises else "Give back a photo of any size"
        return [
            (given_back, f"retinula reconstruct {path} photo.jpg --out reconstructed"),
            (
                "See what it makes of noise that is added first",
                f"retinula reconstruct {path} photo.jpg --noise 0.1 --out noised",
            ),
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
    cells = {key: [(one.place, one.index, sureness(one.sure)) for one in shown] for key, shown in part.pictures.items()}
    counts = {f"{true}-{answer}": int(part.result.confusion[true, answer]) for true, answer in map(_pair, cells)}
    geometry = {key: value for key, value in asdict(sheet).items() if key != "uri"}
    files = _files(contents, [index for shown in cells.values() for _, index, _ in shown])
    return {"classes": part.classes, "cells": cells, "counts": counts, "files": files, "sheet": geometry}


def _behind_map(contents: Contents) -> dict[str, object]:
    """Return what the script needs to show the pictures behind the map, points in the order in which they are drawn."""
    part, answers = contents.map, contents.answers
    if part is None or answers is None:
        return {}
    points = [
        (one.x, one.y, one.index, one.label, one.answer, sureness(one.sure), one.place)
        for each in part.points.values()
        for one in each
    ]
    geometry = {key: value for key, value in asdict(part.sheet).items() if key != "uri"}
    files = _files(contents, [index for _, _, index, *_ in points])
    return {"classes": answers.classes, "points": points, "files": files, "sheet": geometry}


def _files(contents: Contents, indices: Iterable[int]) -> dict[int, str]:
    """Return the files of pictures asked about, by their numbers; nothing where they have none."""
    sources = contents.answers.result.sources if contents.answers else None
    return {} if sources is None else {index: shortened(sources[index]) for index in indices}


def _pair(key: str) -> tuple[int, int]:
    true, answer = key.split("-")
    return int(true), int(answer)


def _own(name: str) -> str:
    return (resources.files("retinula.report") / TEMPLATES / name).read_text(encoding="utf-8").strip()
