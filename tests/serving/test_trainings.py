"""What the page is told of trainings, from folders that are whole, half-way and broken."""

import json
import posixpath
from pathlib import Path

import httpx
import pytest

from retinula.recipe_files import load_recipe
from retinula.run import Run
from serving_checks import ask, refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three runs: a finished one, one that is going on, one of which little can be read."""
    root = tmp_path / "runs"
    for name in ("whole", "half", "broken"):
        run = Run(root / name)
        run.path.mkdir(parents=True)
        run.recipe_file.write_text(load_recipe("digits", ["seed=3"]).to_toml())
        run.environment_file.write_text(json.dumps({"started": "2026-01-02T03:04:05+00:00"}))
        for epoch in (1, 2):
            row = {"epoch": epoch, "step": epoch, "loss": 1 / epoch, "accuracy": 0.5, "val_loss": None}
            run.add_metrics({**row, "val_accuracy": 0.4 + epoch / 10})
    report = {
        "parameters": 7,
        "training": {"val_accuracy": 0.61, "seconds_in_all": 5.5},
        "evaluations": {
            "digits/test": {
                "dataset": "digits",
                "split": "test",
                "accuracy": 0.9,
                "accuracy_low": 0.8,
                "per_class": {},
            },
            "odd": 7,
        },
    }
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
            "epochs": 2,
            "val_accuracy": 0.61,
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
        assert run["results"] == [{"dataset": "digits", "split": "test", "accuracy": 0.9, "accuracy_low": 0.8}]
        assert run["settings"]["seed"] == 3
        assert run["settings"]["optimizer.name"]
        assert (await client.get("/v1/runs/broken")).json()["curves"] == []
        interface = (await client.get("/openapi.json")).json()
        assert "/v1/runs/{name}" in interface["paths"]

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
