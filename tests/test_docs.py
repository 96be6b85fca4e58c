"""The documentation's commands are run, or at least understood by the command line."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest
import typer

import retinula
from retinula.cli.main import app
from retinula.recipe import Recipe
from retinula.recipe_files import setting_names
from retinula.reproduction.records import RECORDS
from retinula.reproduction.results import gather, results_page

BASH = shutil.which("bash") or pytest.skip("needs bash", allow_module_level=True)
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST = 400  # seconds for all blocks of a page
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    return [(found["kind"].strip(), found["text"]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def commands() -> list[tuple[str, str]]:
    return [
        (page.name, line)
        for page in PAGES
        for _, text in blocks(page)
        for line in text.splitlines()
        if line.startswith("retinula ")
    ]


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_is_one_that_exists(page: str, line: str) -> None:
    words = shlex.split(re.split(r" [>&]( |$)", line)[0], comments=True)[1:]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, f"{page}: {line!r} names no command"
        assert words[0] in command.commands, f"{page}: {line!r}"
        command = command.commands[words.pop(0)]
    context = command.make_context("retinula", [word for word in words if word != "--help"])
    assert context.params is not None


def runnable(page: Path) -> str:
    """One script of all blocks of a page marked to be run, in their order; Python's in a row are one program."""
    marked = [(kind, text) for kind, text in blocks(page) if kind in ("sh run", "python run")]
    parts = []
    for kind, group in groupby(marked, key=lambda block: block[0]):
        joined = "".join(text for _, text in group)
        parts.append(joined if kind == "sh run" else f"python - <<'END'\n{joined}END\n")
    return "".join(parts)


@pytest.mark.parametrize(
    "page",
    [
        # Those that train take longest, since every command loads torch; the default tests do the same in one process.
        pytest.param(
            page, id=page.name, marks=pytest.mark.slow if re.search("retinula[ .]train", runnable(page)) else ()
        )
        for page in PAGES
        if runnable(page)
    ],
)
@pytest.mark.timeout(LONGEST + 20)
def test_marked_blocks_run_as_they_stand(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", runnable(page)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


def test_the_page_of_results_is_what_its_records_say() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert results_page(gather([ROOT / RECORDS])) == page, "write it anew: retinula results --write"


def test_every_name_of_the_package_has_its_example() -> None:
    page = ROOT / "docs" / "api.md"
    names = [name for name in retinula.__all__ if not name.startswith("_")]
    assert len(names) == 10
    headings = re.findall(r"^## (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(names)
    for name in names:
        assert f"retinula.{name}" in runnable(page), name


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, retinula; print({'torch', 'numpy', 'optuna', 'pydantic'} & sys.modules.keys() or 'nothing')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "nothing\n"


def test_every_setting_is_explained() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    for key in [*setting_names(), "claims"]:
        if key not in ("name", "about"):
            assert key in table or f"`{key.rpartition('.')[2]}`" in table, key
    assert "claims" in Recipe.model_fields
