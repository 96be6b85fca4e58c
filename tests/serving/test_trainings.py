"""What the page is told of trainings, from folders that are whole, half-way and broken."""

import errno
import json
import os
import posixpath
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from markupsafe import escape

from retinula.recipe.files import load_recipe
from retinula.report.page import commands
from retinula.runs.run import Run
from serving_checks import ask, refused
from small_runs import SURROUNDINGS, epoch_row, whole_report


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three runs: a finished one, one that is going on, one of which little can be read."""
    root = tmp_path / "runs"
    for name in ("whole", "half", "broken"):
        run = Run(root / name)
        run.path.mkdir(parents=True)
        run.recipe_file.write_text(load_recipe("digits", ["seed=3"]).to_toml())
        run.environment_file.write_text(json.dumps({**SURROUNDINGS, "started": "2026-01-02T03:04:05+00:00"}))
        for epoch in (1, 2):
            run.add_metrics(epoch_row(epoch, loss=1 / epoch, val_loss=1 / epoch, val_accuracy=0.4 + epoch / 10))
    evaluations = {
        "photos-0badcafe/test": {"dataset": "digits", "split": "test", "accuracy": 0.1},
        "digits/test": {"dataset": "digits", "split": "test", "accuracy": 0.9, "accuracy_low": 0.8, "per_class": {}},
    }
    report = whole_report(training={"val_accuracy": 0.61, "val_loss": 0.7, "seconds": 5.5}, evaluations=evaluations)
    (root / "whole" / "report.json").write_text(json.dumps(report))
    (root / "whole" / "report.html").write_text("<!doctype html><p>all of it</p>")
    recipe = root / "broken" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('[data]\nname = "digits"', '[data]\nname = "/home/me/photos"'))
    for file in ("report.json", "environment.json", "metrics.jsonl"):
        (root / "broken" / file).write_text('{"epoch": ,}\n')
    return root


def test_runs_are_listed_whatever_state_they_are_in(root: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        assert (await client.get("/v1/model")).json()["runs"] is True
        runs = {run["name"]: run for run in (await client.get("/v1/runs")).json()["runs"]}
        assert runs["whole"] == {
            "name": "whole",
            "recipe": "digits",
            "network": "residual",
            "dataset": "digits",
            "begun": "2026-01-02T03:04:05+00:00",
            "finished": True,
            "ended_early": False,
            "epochs": 2,
            "val_accuracy": 0.61,
            "val_loss": 0.7,
            "test_accuracy": 0.9,
            "seconds": 5.5,
            "parameters": 7,
            "report": True,
        }
        assert (runs["half"]["finished"], runs["half"]["val_accuracy"]) == (False, pytest.approx(0.6))
        assert runs["half"]["test_accuracy"] is None
        assert (runs["broken"]["epochs"], runs["broken"]["begun"]) == (0, None)
        assert runs["broken"]["dataset"] == "photos"

    ask(question, runs=root)


def test_one_run_has_curves_results_and_settings(root: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        run = (await client.get("/v1/runs/whole")).json()
        assert [row["loss"] for row in run["curves"]] == [1, 0.5]
        assert run["results"] == [
            {"dataset": "photos-0badcafe", "split": "test", "accuracy": 0.1},
            {"dataset": "digits", "split": "test", "accuracy": 0.9, "accuracy_low": 0.8},
        ]
        assert run["settings"]["seed"] == 3
        assert run["settings"]["optimizer.name"]
        assert (await client.get("/v1/runs/broken")).json()["curves"] == []
        interface = (await client.get("/openapi.json")).json()
        for path in ("/v1/runs/{name}", "/v1/runs/{name}/report"):
            assert "404" in interface["paths"][path]["get"]["responses"]

    ask(question, runs=root)


def test_what_the_training_loss_alone_counts_is_said(root: Path) -> None:
    settings = ["objective.label_smoothing=0.1", "augment.mixup=0.4"]
    (root / "half" / "recipe.toml").write_text(load_recipe("digits", settings).to_toml())
    (root / "broken" / "recipe.toml").write_text("[objective]\nlabel_smoothing = true\n")

    async def question(client: httpx.AsyncClient) -> None:
        told = {name: (await client.get(f"/v1/runs/{name}")).json()["only_in_training"] for name in ("half", "broken")}
        assert told == {"half": "label smoothing 0.1 and mixed pictures", "broken": ""}

    ask(question, runs=root)


DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
DAMAGES = {
    "not a number": ("metrics.jsonl", '{"epoch": 1, "step": 1, "loss": NaN, "val_accuracy": Infinity}\n'),
    "deep metrics": ("metrics.jsonl", '{"epoch": 1, "step": 1, "loss": ' + "[" * 9000 + "]" * 9000 + "}\n"),
    "a date for a name": ("recipe.toml", 'name = 1979-05-27\nabout = "x"\n'),
    "a rate that is no number": ("recipe.toml", "[optimizer]\nlr = nan\nbetas = [inf, 07:32:00]\n"),
    "a number without end": ("recipe.toml", f"name = 0x{'f' * 9000}\n"),
    "deep lists": ("recipe.toml", f"name = {'[' * 9000}{']' * 9000}\n"),
    "deep tables": ("recipe.toml", f"{'.'.join('a' * 1500)} = 1\n"),
    "a deep report": ("report.json", '{"parameters": ' + "[" * 9000 + "]" * 9000 + "}"),
    "a report deep enough to be read": ("report.json", json.dumps(whole_report(odd=DEEP))),
    "half a character": ("report.json", json.dumps(whole_report(evaluations={"\ud800/test": {"split": "\ud800"}}))),
    "a report without parts": ("report.json", '{"evaluations": [1]}'),
    "an evaluation that is none": ("report.json", json.dumps(whole_report(evaluations={"odd": 7}))),
    "surroundings of another kind": ("environment.json", '{"data": null}'),
    "a machine that is deep": ("environment.json", '{"started": ' + "[" * 9000 + "]" * 9000 + "}"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_damaged_run_takes_nothing_from_the_others(root: Path, name: str) -> None:
    file, content = DAMAGES[name]
    (root / "half" / file).write_text(content)

    async def question(client: httpx.AsyncClient) -> None:
        response = await client.get("/v1/runs")
        runs = {run["name"]: run for run in response.json()["runs"]}
        assert runs.keys() == {"whole", "half", "broken"}
        assert runs["whole"]["test_accuracy"] == 0.9
        half = (await client.get("/v1/runs/half")).json()
        assert half.items() >= runs["half"].items()
        assert all("." in key or value for key, value in half["settings"].items())

    ask(question, runs=root)


def test_what_is_no_number_is_left_out(root: Path) -> None:
    for name in ("not a number", "a rate that is no number"):
        file, content = DAMAGES[name]
        (root / "half" / file).write_text(content)

    async def question(client: httpx.AsyncClient) -> None:
        half = (await client.get("/v1/runs/half")).json()
        assert (half["epochs"], half["val_accuracy"], half["curves"]) == (0, None, [])
        assert half["settings"] == {"optimizer.betas": "[null, null]"}

    ask(question, runs=root)


def test_of_an_unfinished_run_the_best_epoch_so_far_is_told(root: Path) -> None:
    Run(root / "half").add_metrics(epoch_row(3, val_loss=2.0, val_accuracy=0.3))

    async def question(client: httpx.AsyncClient) -> None:
        half = (await client.get("/v1/runs/half")).json()
        assert (half["epochs"], half["val_accuracy"]) == (3, pytest.approx(0.6))

    ask(question, runs=root)
    file = Run(root / "half").recipe_file
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith(("keep = ", "metric = "))))
    assert file.read_text().count("\n") == len(lines) - 2
    ask(question, runs=root)  # as where a recipe says nothing of it


def test_a_run_that_goes_while_it_is_looked_at_takes_nothing_from_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.stat

    def gone(path: Path, **options: Any) -> os.stat_result:
        if path == root / "half" / "recipe.toml":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return look(path, **options)

    async def question(client: httpx.AsyncClient) -> None:
        runs = (await client.get("/v1/runs")).json()["runs"]
        assert {run["name"] for run in runs} == {"whole", "broken"}

    monkeypatch.setattr(Path, "stat", gone)
    ask(question, runs=root)


def test_a_report_is_given_and_kept_apart(root: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        response = await client.get("/v1/runs/whole/report")
        assert response.text == "<!doctype html><p>all of it</p>"
        assert response.headers["content-type"].startswith("text/html")
        assert "sandbox" in response.headers["content-security-policy"]
        assert "connect-src" not in response.headers["content-security-policy"]
        assert "retinula report half" in refused(await client.get("/v1/runs/half/report"), 404, "not_found")

    ask(question, runs=root)


FILES = ("recipe.toml", "environment.json", "metrics.jsonl", "report.json", "report.html")
NOTHING = {"recipe": None, "begun": None, "epochs": 0, "test_accuracy": None, "report": False}


def test_no_file_of_a_run_leads_elsewhere(root: Path, tmp_path: Path) -> None:
    for file in FILES:
        (root / "whole" / file).rename(tmp_path / file)
        (root / "whole" / file).symlink_to(tmp_path / file)

    async def question(client: httpx.AsyncClient) -> None:
        whole = (await client.get("/v1/runs/whole")).json()
        assert whole.items() >= NOTHING.items()
        assert (whole["curves"], whole["results"], whole["settings"], whole["only_in_training"]) == ([], [], {}, "")
        refused(await client.get("/v1/runs/whole/report"), 404, "not_found")

    ask(question, runs=root)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize("make", [os.mkfifo, lambda file: os.truncate(file, 2**40)])
def test_what_has_no_end_in_a_run_holds_nothing_up(root: Path, make: Any) -> None:
    for file in FILES:
        (root / "whole" / file).unlink()
        if make is not os.mkfifo:
            (root / "whole" / file).touch()
        make(root / "whole" / file)

    async def question(client: httpx.AsyncClient) -> None:
        runs = {run["name"]: run for run in (await client.get("/v1/runs")).json()["runs"]}
        assert runs["whole"].items() >= NOTHING.items()
        assert runs["half"]["epochs"] == 2
        refused(await client.get("/v1/runs/whole/report"), 404, "not_found")

    ask(question, runs=root)


def test_folders_may_be_links(root: Path, tmp_path: Path) -> None:
    (root / "whole").rename(tmp_path / "elsewhere")
    (root / "whole").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(root)

    async def question(client: httpx.AsyncClient) -> None:
        whole = (await client.get("/v1/runs/whole")).json()
        assert (whole["epochs"], whole["test_accuracy"], whole["report"]) == (2, 0.9, True)
        assert (await client.get("/v1/runs/whole/report")).status_code == 200

    ask(question, runs=tmp_path / "link")


def test_a_report_does_not_say_where_on_the_machine_things_lie(root: Path, tmp_path: Path) -> None:
    moved = root.rename(tmp_path / 'o\'neil & "co"')
    run, photos = Run(moved / "broken"), "/home/me/photos"
    lines = [line for task in ("classification", "reconstruction") for _, line in commands(run, task)]
    pixels = f"data:image/jpeg;base64,/9j{photos}{photos}=="
    said = f"<p>{pixels}</p><p>there is no folder {photos}; {photos}-2</p><td>{escape(run.path)}</td>"
    (run.path / "report.html").write_text(said + "".join(f"<code>{escape(line)}</code>\n" for line in lines))

    async def question(client: httpx.AsyncClient) -> None:
        page = (await client.get("/v1/runs/broken/report")).text
        assert str(escape(tmp_path)) not in page
        assert f"<p>{pixels}</p><p>there is no folder photos; {photos}-2</p><td>" in page
        told = [shlex.split(unescape(line)) for line in re.findall("<code>(.*?)</code>", page)]
        assert len(told) == len(lines)
        whole, short = str(run.path.resolve()), f"{moved.name}/broken"
        assert told == [[word.replace(whole, short) for word in shlex.split(line)] for line in lines]

    ask(question, runs=moved)


@pytest.mark.parametrize(
    "name", ["none", "..", "%2e%2e", "..%2fruns%2fwhole", "whole%2f..%2fhalf", "whole%00", "last", "*"]
)
def test_no_name_leads_elsewhere(root: Path, name: str) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        refused(await client.get(f"/v1/runs/{name}"), 404, "not_found")
        refused(await client.get(f"/v1/runs/{name}/report"), 404, "not_found")

    ask(question, runs=root)


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        refused(await client.get("/v1/runs"), 404, "not_found")
        assert (await client.get("/v1/model")).json()["runs"] is False

    async def empty(client: httpx.AsyncClient) -> None:
        assert (await client.get("/v1/runs")).json() == {"runs": []}

    ask(question)
    ask(empty, runs=tmp_path / "nowhere")


def test_the_page_has_nothing_from_elsewhere_and_nothing_inline() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        page = await client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "<script>" not in page.text
        assert "style=" not in page.text
        names = {word.split('"')[0] for word in page.text.split('"page/')[1:]}
        assert {"server/start.js", "style.css", "icon.svg"} <= names
        pending, seen = list(names), set()
        while pending:
            name = pending.pop()
            seen.add(name)
            response = await client.get(f"/page/{name}")
            assert response.status_code == 200, name
            assert "http" not in response.text.replace("http://www.w3.org/2000/svg", ""), name
            imported = {
                posixpath.normpath(posixpath.join(posixpath.dirname(name), part.split('"')[0]))
                for part in response.text.split('from "')[1:]
            }
            pending += imported - seen
        assert len(seen) >= 10
        for name in ("__init__.py", "nothing.js", "..%2fapp.py", "index.html%00", "index.html"):
            refused(await client.get(f"/page/{name}"), 404, "not_found")

    ask(question)
