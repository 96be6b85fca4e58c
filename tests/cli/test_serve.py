"""`retinula serve` refuses what it cannot serve in one line, before it loads anything that takes long."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import run_command
from retinula import extras
from retinula.cli import serve
from retinula.cli.serve import TOKEN_VARIABLE
from retinula.extras import EXTRAS
from retinula.recipe.files import load_recipe
from retinula.runs.run import RUNS, create_run
from retinula.serving import server
from serving_checks import Colours
from tiny_onnx import tiny_onnx

Call = Callable[..., str]
FREE = ("--port", "0")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A caller of the command, in a folder with a run that has no model, and files that are none."""
    create_run(load_recipe("digits"), {}, "begun", tmp_path / "runs")
    (tmp_path / "model.onnx").write_text("no model")
    (tmp_path / "model.safetensors").write_text("no model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)

    def called(*words: str) -> str:
        out, err = run_command(monkeypatch, capsys, "serve", *words, code=2)
        assert not out
        assert err.count("\n") == 1
        return err

    return called


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("other", *FREE), "no run 'other'"),
        (("begun", *FREE), "has no model yet"),
        (("missing.onnx", *FREE), "missing.onnx: no such file"),
        (("model.onnx", *FREE), "model.onnx: not an ONNX file"),
        (("model.safetensors", *FREE), "model.safetensors: not a safetensors file"),
        (("begun", "--port", "70000"), "--port"),
        (("begun", "--host", "192.0.2.1"), "cannot listen on 192.0.2.1, port 8080"),
        (("begun", *FREE, "--token", ""), "a token is one word"),
        (("begun", *FREE, "--token", "two words"), "a token is one word"),
        (("begun", *FREE, "--seconds", "inf"), "the limit seconds must be above 0 and finite"),
        (("begun", *FREE, "--max-pictures", "0"), "--max-pictures"),
    ],
)
def test_wrong_use_is_one_line(call: Call, words: tuple[str, ...], message: str) -> None:
    assert message in call(*words)


@pytest.mark.parametrize("module", EXTRAS["serve"].modules)
def test_what_is_not_installed_is_said(call: Call, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == module else object())
    assert f"the server needs {module}, not installed: pip install 'retinula[serve]'" in call("begun", *FREE)


def test_a_port_that_is_taken_is_named(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1, port {port} (" in call("begun", "--port", str(port))


def test_a_variable_without_a_token_in_it_is_not_served_without_one(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    assert "a token is one word" in call("begun", *FREE)


def test_a_file_is_called_after_its_run(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny_onnx(provenance={"run": "mine"}))
    served, runs = serve._served(str(tmp_path / "model.onnx"), 0)
    assert (served.name, runs) == ("mine", RUNS)


@pytest.mark.usefixtures("call")
def test_programs_are_told_where_it_listens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(app: object, listening: socket.socket, limits: object, when_started: Callable[[], None]) -> None:
        ports.append(listening.getsockname()[1])
        when_started()

    ports: list[int] = []
    monkeypatch.setattr(serve, "_served", lambda *_: (Colours().served, Path("runs")))
    monkeypatch.setattr(server, "run", run)
    out, err = run_command(monkeypatch, capsys, "serve", "begun", *FREE, "--json")
    (port,) = ports
    assert json.loads(out) == {"name": "colours", "address": f"http://127.0.0.1:{port}", "port": port}
    assert (out.count("\n"), err) == (1, "stopped\n")
    out, _ = run_command(monkeypatch, capsys, "serve", "begun", *FREE)
    assert out == f"colours: http://127.0.0.1:{ports[-1]} (Ctrl-C stops)\n"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has not both in one")
@pytest.mark.usefixtures("call")
@pytest.mark.parametrize("both", [True, False])
def test_where_clients_of_ipv4_are_left_out_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], both: bool
) -> None:
    monkeypatch.setattr(serve, "_served", lambda *_: (Colours().served, Path("runs")))
    monkeypatch.setattr(server, "run", lambda *_: None)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both)
    _, err = run_command(monkeypatch, capsys, "serve", "begun", *FREE, "--host", "::", "--token", "secret")
    assert ("by IPv6 alone" in err) is not both
