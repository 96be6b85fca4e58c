"""The server on a real socket: who is slow, silent or rude is cut, and the rest is answered to the end."""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from retinula.errors import InputError
from retinula.models.catalog import build
from retinula.serving.limits import Limits
from retinula.serving.server import address_of, allowed_hosts, is_ipv6_alone, is_loopback, listen
from retinula.trained.model_file import Model
from retinula.training.interruption import ASKING
from retinula.transforms.preprocess import Preprocess
from serving_checks import PATIENCE, Colours, Slow, base64_of, png, refused, served

PNG = {"content-type": "image/png"}
SOON = 10.0  # seconds within which connections under these limits are all cut
QUICK = Limits(seconds=0.4, head_seconds=0.3, max_connections=8, max_bytes=100_000)
EVERYWHERE = "0.0.0.0"  # noqa: S104 - bound for a moment, and never served


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces with pauses, and read until the server closes; fails where it does not in time."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # it was cut meanwhile
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
        return received


HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "
WHOLE_HEAD = HALF_HEAD + b"y\r\n\r\n"
HALF_BODY = (
    b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nxyz"
)


def test_who_says_nothing_or_half_is_cut() -> None:
    with served(QUICK) as (address, port):
        begun = time.monotonic()
        assert talk(port) == b""
        assert talk(port, HALF_HEAD) == b""
        assert talk(port, *[HALF_HEAD[n : n + 1] for n in range(20)], pause=0.05) == b""
        second = talk(port, WHOLE_HEAD, HALF_HEAD)
        assert second.count(b"HTTP/1.1 200") == 1
        slow = talk(port, HALF_BODY)
        assert b"408 " in slow
        assert b"body_too_slow" in slow
        assert time.monotonic() - begun < SOON
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_a_body_that_comes_a_byte_at_a_time_is_cut_too() -> None:
    with served(QUICK) as (_, port):
        received = talk(port, HALF_BODY, *[b"x"] * 30, pause=0.05)
        assert b"408 " in received


def test_a_large_answer_that_is_not_fetched_does_not_hold_the_connection() -> None:
    colours = Colours()
    limits = Limits(seconds=0.4, head_seconds=0.3)
    with served(limits, colours) as (address, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        files = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            connection.sendall(files)
        deadline = time.monotonic() + SOON
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:  # until it is cut, sending fails
                connection.send(b"G")
                time.sleep(0.05)
        assert time.monotonic() < deadline
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_what_is_not_http_is_refused_as_json(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), served(QUICK) as (_, port):
        for rubbish in (
            b"hello\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\0\0",
            b"GET " + b"x" * 90_000,
        ):
            head, _, body = talk(port, rubbish).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert json.loads(body)["error"]["code"] == "malformed"
        for expects in (b"", b"Expect: 100-continue\r\n"):
            chunked = HALF_BODY.replace(b"Content-Length: 1000", expects + b"Transfer-Encoding: chunked") + b"\r\n"
            assert b" 400 " in talk(port, chunked)
    assert not caplog.records


@pytest.mark.parametrize(
    ("target", "status", "route"),
    [
        ("http://localhost/healthz", 200, "/healthz"),
        ("HTTP://LOCALHOST:8080/healthz?x=%2f", 200, "/healthz"),
        ("https://localhost?x", 200, "/"),
        ("http://evil.example/healthz", 400, "/healthz"),
        ("http:///healthz", 404, "other"),
    ],
)
def test_the_target_of_a_request_may_name_the_host_which_then_counts(target: str, status: int, route: str) -> None:
    host = "localhost" if status != 200 else "evil.example"
    with served(QUICK, hosts=("localhost",)) as (address, port):
        head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert talk(port, head.encode()).startswith(f"HTTP/1.1 {status} ".encode())
        metrics = httpx.get(f"{address}/metrics", headers={"host": "localhost"}).text
        assert f'retinula_requests_total{{route="{route}",status="{status}"}} 1' in metrics


def test_one_connection_too_many_is_told_so() -> None:
    with served(QUICK) as (address, port), contextlib.ExitStack() as stack:
        for _ in range(QUICK.max_connections):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.1)
        assert b"503" in talk(port, WHOLE_HEAD).splitlines()[0]
        time.sleep(2 * QUICK.head_seconds)  # the silent ones are cut meanwhile
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_one_connection_too_many_that_is_still_sending_is_told_so_too() -> None:
    head = HALF_BODY.replace(b"1000", b"400000").removesuffix(b"xyz")
    with served(QUICK) as (_, port), contextlib.ExitStack() as stack:
        for _ in range(QUICK.max_connections):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.1)
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        for piece in (head, *[bytes(50_000)] * 4):
            connection.sendall(piece)
            time.sleep(0.02)
        assert b"503" in connection.recv(65536).splitlines()[0]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by /proc")
def test_a_flood_of_refused_connections_is_not_kept() -> None:
    flood = 10 * QUICK.max_connections
    with served(QUICK) as (_, port), contextlib.ExitStack() as stack:
        for _ in range(QUICK.max_connections + flood):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.1)
        of_the_clients = QUICK.max_connections + flood
        assert open_sockets() - of_the_clients < flood / 2, "the server runs in this process, too"


def open_sockets() -> int:
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def test_a_body_too_large_is_refused_before_it_has_arrived() -> None:
    with served(QUICK) as (address, _):
        response = httpx.post(f"{address}/v1/predict", content=bytes(QUICK.max_bytes + 1), headers=PNG)
        refused(response, 413, "too_large")

        def chunks() -> Iterator[bytes]:
            for _ in range(3):
                yield bytes(QUICK.max_bytes // 2)

        refused(httpx.post(f"{address}/v1/predict", content=chunks(), headers=PNG), 413, "too_large")


def test_a_client_that_goes_away_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    colours = Colours()
    limits = Limits(seconds=5, head_seconds=2)
    with caplog.at_level(logging.ERROR), served(limits, colours) as (address, port):
        colours.may_go.clear()
        body = png()
        head = HALF_BODY.partition(b"Content-Length")[0] + f"Content-Length: {len(body)}\r\n\r\n".encode()
        for whole in (True, False):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(head + (body if whole else body[:20]))
                time.sleep(0.1)
        colours.may_go.set()
        response = httpx.post(f"{address}/v1/predict", content=png("green"), headers=PNG)
        assert response.json()["predictions"][0]["label"] == "green"
        assert "retinula_waiting_requests 0\n" in httpx.get(f"{address}/metrics").text
    assert not caplog.records


def test_pictures_of_a_client_that_went_away_are_decoded_no_more() -> None:
    colours = Slow()
    content = json.dumps({"pictures": [base64_of(png())] * 3}).encode()
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    with served(Limits(seconds=PATIENCE), colours) as (address, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + content)
            wait_for(lambda: colours.looked)
        time.sleep(0.2)
        assert "retinula_waiting_requests 1\n" in httpx.get(f"{address}/metrics").text
        colours.may_look.set()
        wait_for(lambda: "retinula_waiting_requests 0\n" in httpx.get(f"{address}/metrics").text)
        assert colours.looked == 1


def wait_for(told: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_where_it_listens() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(InputError, match=f"port {port}"):
            listen("127.0.0.1", port)
    with pytest.raises(InputError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


# However it is written: the second is 127.0.0.1, too, and so is the fourth.
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "0x7f000001", "127.9.9.9", "::1"])
def test_only_this_machine_reaches_what_is_bound_to_loopback(host: str) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen(host, 0) as listening:
        assert is_loopback(listening)
        hosts = allowed_hosts(listening, host) or ()
        assert {"127.0.0.1", "[::1]" if ":" in host else host} <= set(hosts)
        assert "evil.example" not in hosts


def has_ipv6() -> bool:
    try:
        listen("::1", 0).close()
    except InputError:
        return False
    return True


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has not both in one")
def test_every_address_is_those_of_both_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("::", 0) as listening:
        assert not is_ipv6_alone(listening)
        assert not is_loopback(listening)
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, listening.getsockname()[1]), PATIENCE).close()
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    for host, alone in (("::", True), ("::1", False), ("127.0.0.1", False)):
        with listen(host, 0) as listening:
            assert is_ipv6_alone(listening) is alone


def test_an_address_of_one_network_is_bound_there(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[Any] = []
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 8080, 0, 7))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_server", lambda address, **_: bound.append(address))
    listen("fe80::1%7", 8080)
    assert bound == [("fe80::1", 8080, 0, 7)]


@pytest.mark.parametrize("host", [EVERYWHERE, "0"])
def test_others_reach_what_is_bound_to_every_address(host: str) -> None:
    with listen(host, 0) as listening:
        assert not is_loopback(listening)
        assert allowed_hosts(listening, host) is None


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    preprocess = Preprocess(channels=3, size=(32, 32), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    torch.manual_seed(0)
    network = build("cifar10-augmented", num_classes=3)
    path = tmp_path / "small.safetensors"
    Model(network.eval(), "cifar10-augmented", {}, ("a", "b", "c"), preprocess).save(path)
    return path


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    processes = []

    def start(*arguments: Any, **environment: str) -> "subprocess.Popen[str]":
        code = "from retinula.cli.main import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", ASKING)
def test_the_command_serves_a_model_file_and_stops_in_good_order(
    command: Callable[..., "subprocess.Popen[str]"], model_file: Path, number: signal.Signals
) -> None:
    process = command(model_file, "--port", 0, RETINULA_TOKEN="secret")  # noqa: S106 - of this test alone
    assert process.stdout is not None
    line = process.stdout.readline()
    address = line.split()[1]
    assert line.startswith("small: http://127.0.0.1:")
    assert httpx.get(f"{address}/v1/model").status_code == 401
    headers = {"authorization": "Bearer secret", **PNG}
    response = httpx.post(f"{address}/v1/predict?include=seen", content=png(), headers=headers)
    assert response.status_code == 200, response.text
    expected = Model.load(model_file).predict(png())
    top = response.json()["predictions"][0]["top"]
    assert [each["label"] for each in top] == [answer.label for answer in expected]
    assert [each["probability"] for each in top] == pytest.approx([answer.probability for answer in expected], abs=1e-5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.strip()) == (0, "stopped")
