"""The rules of the house, proved from the syntax tree."""

import ast
from pathlib import Path

import pytest

import retinula

SOURCE = Path(retinula.__file__).parent
# A room may use only rooms above it.
ROOMS = (
    "version",
    "errors",
    "text",
    "files",
    "extras",
    "forms",
    "machine",
    "portions",
    "images",
    "pictures",
    "metrics",
    "datasets",
    "transforms",
    "models",
    "recipe",
    "runs",
    "trained",
    "transfer",
    "training",
    "evaluation",
    "explanation",
    "prediction",
    "reconstruction",
    "plots",
    "depiction",
    "measurement",
    "experiment",
    "tuning",
    "inspection",
    "page",
    "export",
    "reproduction",
    "report",
    "bench",
    "diagnosis",
    "serving",
    "cli",
    "__main__",
)
SAYS_NOTHING = {"utils", "util", "common", "helpers", "helper", "core", "base", "manager", "misc"}
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 400


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Full names of all modules of this package that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("retinula.")}


def test_every_file_stands_in_a_known_room() -> None:
    assert {room_of(path) for path in FILES} - {"__init__", "recipes"} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":  # the façade names all rooms, lazily
        return
    if path.name == "__init__.py":
        assert not path.read_text().strip(), "only the façade has content"
        return
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = {name for name in imported(ast.parse(path.read_text())) if name.split(".")[1] not in allowed}
    assert not wrong, f"{room} is above what it imports: {wrong}"


def test_no_circle_among_files() -> None:
    graph = {}
    for path in FILES:
        name = ".".join(("retinula", *path.relative_to(SOURCE).with_suffix("").parts))
        if path.name != "__init__.py":
            graph[name] = imported(ast.parse(path.read_text()))
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"circle: {' -> '.join((*way, name))}"
        if name not in done:
            for other in graph[name] & graph.keys():
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert done == graph.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_command_line_imports_inside_functions(path: Path) -> None:
    if room_of(path) == "cli":
        return
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            assert not inner, f"{function.name} imports inside"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_names_and_lengths(path: Path) -> None:
    assert not {part.removesuffix(".py") for part in path.relative_to(SOURCE).parts} & SAYS_NOTHING
    assert len(path.read_text().splitlines()) <= LONGEST


def test_what_a_recipe_may_say_is_written_once() -> None:
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                homes.setdefault(ast.unparse(node.slice), []).append(str(path.relative_to(SOURCE)))
    said = {names: files for names, files in homes.items() if {"forms.py", "recipe/sections.py"} & {*files}}
    assert len(said) > 10
    assert not {names: files for names, files in said.items() if len(files) > 1}


def test_a_file_in_the_wrong_place_would_fail() -> None:
    tree = ast.parse("from retinula.cli.main import app\nimport retinula.training.loop")
    assert imported(tree) == {"retinula.cli.main", "retinula.cli.main.app", "retinula.training.loop"}


def test_the_facade_names_what_it_gives() -> None:
    for name in retinula.__all__:
        assert getattr(retinula, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = retinula.nonsense
