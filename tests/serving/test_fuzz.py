"""A thousand malformed requests: each gets an answer, none is the server's fault, and it goes on as before."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retinula.serving.app import build_app
from retinula.serving.limits import Limits
from retinula.serving.refusals import STATUSES
from serving_checks import Colours, base64_of, client_of, png, running

KINDS = (
    "image/png",
    "application/octet-stream",
    "application/json",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
)
WHOLE = (
    png(),
    json.dumps({"pictures": [base64_of(png()), {"name": "a", "data": base64_of(png())}], "top": 2}).encode(),
    b'--x\r\nContent-Disposition: form-data; name="p"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    + png()
    + b'\r\n--x\r\nContent-Disposition: form-data; name="top"\r\n\r\n2\r\n--x--\r\n',
    b"GIF89a" + bytes(40),
    b"\xff\xd8\xff\xe0" + bytes(60),
    b"II*\0\x08\0\0\0" + bytes(range(64)),
    b"P6 65000 65000 255\n",
    json.dumps({"pictures": [base64_of(png())] * 4}).encode(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(base64_of(png())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["pictures", "name", "data", "top", "include", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request that was whole, with pieces cut out, overwritten, doubled or put in."""
    body = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 30)))
        piece = draw(
            st.sampled_from([b"", b"\r\n", b"--x", b'"', b"\0", bytes(body[start:end]) * 2]) | st.binary(max_size=8)
        )
        body[start:end] = piece
    return bytes(body)


BODIES = damaged() | st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
PATHS = st.sampled_from(["/v1/predict"] * 9 + ["/", "/v1/model", "/healthz", "/metrics", "/openapi.json", "/v1/../%00"])
QUERIES = st.dictionaries(
    st.sampled_from(["top", "include", "x"]),
    st.text(max_size=6) | st.integers().map(str) | st.sampled_from(["seen", "heatmap", "seen,heatmap", ","]),
    max_size=2,
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "content-length", "authorization", "host", "transfer-encoding", "range", "x"]),
    st.sampled_from([*KINDS, "0", "99999999", "chunked", "Bearer x"])
    | st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), max_size=20),
    max_size=3,
)
METHODS = st.sampled_from(["POST"] * 9 + ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"])


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[asyncio.Runner, httpx.AsyncClient, list[int]]]:
    statuses: list[int] = []
    app = build_app(Colours().served, Limits(max_bytes=2000, max_pixels=10_000, max_pictures=3))
    with asyncio.Runner() as runner:
        context, client = running(app), client_of(app)
        runner.run(context.__aenter__())
        yield runner, client, statuses
        good = runner.run(client.post("/v1/predict", content=png("green"), headers={"content-type": "image/png"}))
        assert good.json()["predictions"][0]["label"] == "green"
        runner.run(client.aclose())
        runner.run(context.__aexit__(None, None, None))
    # Were all refused for one reason, or none at all, this would test little.
    assert {200, 400, 404, 405, 413, 415, 422} <= set(statuses)


@settings(max_examples=1000, suppress_health_check=list(HealthCheck))
# More bytes than the limit are rarely drawn.
@example(method="POST", path="/v1/predict", query={}, kind="image/png", headers={}, body=b"x" * 2001)
@given(method=METHODS, path=PATHS, query=QUERIES, kind=st.sampled_from(KINDS), headers=HEADERS, body=BODIES)
def test_nothing_that_a_client_sends_is_the_servers_fault(
    asked: tuple[asyncio.Runner, httpx.AsyncClient, list[int]],
    method: str,
    path: str,
    query: dict[str, str],
    kind: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    runner, client, statuses = asked
    sent: Any = {"content-type": kind, **headers}
    encoded = {name: value.encode("latin-1") for name, value in sent.items()}
    request = client.build_request(method, path, params=query, headers=encoded, content=body)
    response = runner.run(client.send(request))
    statuses.append(response.status_code)
    assert response.status_code < 500
    if response.status_code != 200 and method != "HEAD":
        error = response.json()["error"]
        assert STATUSES[error["code"]] == response.status_code
