"""What the server answers, and what it refuses with which status, asked in-process."""

import asyncio
import gc
import io
import json
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from retinula.errors import InputError
from retinula.images import Images
from retinula.serving.app import build_app
from retinula.serving.bodies import Bodies
from retinula.serving.counters import Counters
from retinula.serving.limits import Limits
from retinula.serving.refusals import Refusal
from retinula.serving.service import Service
from serving_checks import BLACK, PATIENCE, Colours, Slow, ask, base64_of, client_of, pixels, png, refused, running

PNG = {"content-type": "image/png"}


def labels(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    return [prediction.get("label") for prediction in response.json()["predictions"]]


def test_a_picture_comes_in_three_forms() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        raw = await client.post("/v1/predict", content=png("green"), headers=PNG)
        unnamed = await client.post(
            "/v1/predict?top=1", content=png("blue"), headers={"content-type": "application/octet-stream"}
        )
        form = await client.post(
            "/v1/predict",
            files=[("a", ("katze ü.png", png("red"))), ("a", ("2", png("blue")))],
            data={"top": "2"},
        )
        content = {"pictures": [base64_of(png("red")), {"name": "\ud800", "data": base64_of(png("green"))}], "top": 1}
        # Not by httpx, which cannot write half a character; JSON can.
        kind = {"content-type": "application/json"}
        as_json = await client.post("/v1/predict", content=json.dumps(content), headers=kind)
        address = await client.post("/v1/predict", json={"pictures": ["data:image/png;base64," + base64_of(png())]})

        assert labels(raw) == ["green"]
        (answer,) = raw.json()["predictions"]
        assert (answer["name"], answer["width"], answer["height"]) == ("", 9, 7)
        assert [each["label"] for each in answer["top"]] == ["green", "red", "blue"]
        assert answer["probability"] == answer["top"][0]["probability"] == pytest.approx(256 / 258)
        assert sum(each["probability"] for each in answer["top"]) == pytest.approx(1, abs=1e-6)
        assert labels(unnamed) == ["blue"]
        assert len(unnamed.json()["predictions"][0]["top"]) == 1
        assert labels(form) == ["red", "blue"]
        assert [each["name"] for each in form.json()["predictions"]] == ["katze ü.png", "2"]
        assert [len(each["top"]) for each in form.json()["predictions"]] == [2, 2]
        assert labels(as_json) == ["red", "green"]
        assert as_json.json()["predictions"][1]["name"] == "?"
        assert labels(address) == ["red"]

    ask(question)


def test_what_the_network_saw_and_where_it_looked_come_where_asked_for() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        plain = await client.post("/v1/predict", content=png(), headers=PNG)
        assert not {"seen", "heatmap", "similar"} & plain.json()["predictions"][0].keys()
        response = await client.post("/v1/predict?include=seen,heatmap", content=png("blue"), headers=PNG)
        (answer,) = response.json()["predictions"]
        assert pixels(answer["seen"]).tolist() == [[[0, 0, 255]] * 4] * 4
        assert pixels(answer["heatmap"]).tolist() == [[255] * 4] * 4
        assert "similar" not in answer
        response = await client.post("/v1/predict?include=similar", content=png("blue"), headers=PNG)
        (similar,) = response.json()["predictions"][0]["similar"]
        assert (similar["label"], similar["likeness"]) == ("itself", 1.0)
        assert pixels(similar["image"]).shape == (4, 4, 3)
        content = {"pictures": [base64_of(png())], "include": ["seen"]}
        assert "seen" in (await client.post("/v1/predict", json=content)).json()["predictions"][0]

    ask(question)


@pytest.mark.parametrize("words", ["seen,similar", ["seen", "similar"], ["", "seen,similar", "seen"]])
def test_a_form_has_its_list_with_commas_or_a_part_each(words: Any) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", ("a.png", png()))]
        response = await client.post("/v1/predict", files=files, data={"include": words})
        assert response.status_code == 200, response.text
        assert {"seen", "similar", "heatmap"} & response.json()["predictions"][0].keys() == {"seen", "similar"}
        response = await client.post("/v1/predict", files=files, data={"include": ["seen"] * 17})
        assert "16 fields" in refused(response, 400, "malformed")

    ask(question)


@pytest.mark.parametrize(
    "query", ["include=seen&include=similar", "include=seen,,similar,", "include=&include=similar,seen"]
)
def test_a_query_has_its_list_with_commas_or_a_value_each(query: str) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        response = await client.post(f"/v1/predict?{query}", content=png(), headers=PNG)
        assert response.status_code == 200, response.text
        assert {"seen", "similar", "heatmap"} & response.json()["predictions"][0].keys() == {"seen", "similar"}

    ask(question)


def test_what_is_unfamiliar_is_said() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", ("a.png", png("red"))), ("p", ("b.png", png(BLACK)))]
        predictions = (await client.post("/v1/predict", files=files)).json()["predictions"]
        assert [prediction["unfamiliar"] for prediction in predictions] == [False, True]

    ask(question)


class _Looking(Colours):
    """Looks at a picture, and at its left half twice."""

    def look_at(self, picture: Image.Image) -> Images:
        left = picture.crop((0, 0, picture.width // 2, picture.height))
        return np.stack([self.form.shrink(picture), self.form.shrink(left), self.form.shrink(left)])


def test_the_answer_is_the_mean_over_all_that_is_looked_at() -> None:
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, :4, 0] = halves[:, 4:, 2] = 255  # red, and blue on the right
    buffer = io.BytesIO()
    Image.fromarray(halves).save(buffer, "PNG")

    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", ("a.png", png("blue"))), ("p", ("b.png", buffer.getvalue()))]
        blue, both = (await client.post("/v1/predict?include=seen", files=files)).json()["predictions"]
        assert blue["top"][0] == {"label": "blue", "probability": pytest.approx(256 / 258)}
        assert both["label"] == "red"
        assert both["probability"] == pytest.approx((128.5 / 258 + 2 * 256 / 258) / 3, abs=0.02)
        assert pixels(both["seen"])[0].tolist() == pixels(both["seen"])[3].tolist()
        assert pixels(both["seen"])[0, 3, 2] > 200  # what is shown is the whole

    ask(question, _Looking())


def test_one_bad_picture_among_good_ones_has_an_error_of_its_own() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", ("a.png", png("red"))), ("p", ("b.png", b"no")), ("p", ("c.png", png("blue", (90, 90))))]
        response = await client.post("/v1/predict", files=files)
        assert labels(response) == ["red", None, None]
        _, unreadable, large = response.json()["predictions"]
        assert unreadable["error"]["code"] == "unreadable"
        assert unreadable["name"] == "b.png"
        assert "not a picture" in unreadable["error"]["message"]
        assert large["error"]["code"] == "too_large"
        metrics = (await client.get("/metrics")).text
        assert "retinula_pictures_total 1\n" in metrics
        assert "retinula_refused_pictures_total 2\n" in metrics
        refused(await client.post("/v1/predict", content=b"no", headers=PNG), 422, "unreadable")
        assert "retinula_refused_pictures_total 3\n" in (await client.get("/metrics")).text

    ask(question, limits=Limits(max_pixels=1000))


def test_what_is_decoded_slowly_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinula.serving.service.MOST_SLOW_VALUES", 26)

    async def question(client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/predict", content=b"P6 3 3 200 " + bytes(27), headers=PNG)
        assert "takes too long to decode" in refused(response, 413, "too_large")

    ask(question)


def test_the_pictures_of_a_request_have_only_so_many_pixels_together() -> None:
    limits = Limits(max_pixels=1000, max_request_pixels=2000)

    async def question(client: httpx.AsyncClient) -> None:
        large, too_large = png("blue", (30, 30)), png("blue", (90, 90))
        for fits in ([large] * 2, [large, b"no", too_large, large, b""]):
            files = [("p", (str(n), content)) for n, content in enumerate(fits)]
            assert labels(await client.post("/v1/predict", files=files))[0] == "blue"
        response = await client.post("/v1/predict", files=[("p", (str(n), large)) for n in range(3)])
        assert "2,000 pixels together" in refused(response, 413, "too_large")
        assert "retinula_pictures_total 4\n" in (await client.get("/metrics")).text
        description = (await client.get("/openapi.json")).json()["paths"]["/v1/predict"]["post"]["description"]
        assert "2,000 together" in description

    ask(question, limits=limits)


BAD_BODIES = {
    "empty": (b"", "image/png", 400, "malformed"),
    "no kind": (png(), "", 415, "unsupported_type"),
    "another kind": (b"a=b", "application/x-www-form-urlencoded", 415, "unsupported_type"),
    "no picture": (b"hello", "image/png", 422, "unreadable"),
    "cut short": (png(size=(90, 90))[:60], "image/png", 422, "unreadable"),
    "too many pixels": (png(size=(101, 100)), "image/png", 413, "too_large"),
    "too many bytes": (bytes(5001), "image/png", 413, "too_large"),
    "no JSON": (b"{", "application/json", 400, "malformed"),
    "not UTF-8": (b'{"pictures": ["\xff"]}', "application/json", 400, "malformed"),
    "a list": (b"[]", "application/json", 400, "malformed"),
    "no pictures": (b"{}", "application/json", 400, "malformed"),
    "no picture in JSON": (b'{"pictures": []}', "application/json", 400, "malformed"),
    "deep": (b"[" * 200 + b"]" * 200, "application/json", 400, "malformed"),
    "wide": (b"[" + b"[]," * 1500 + b"[]]", "application/json", 400, "malformed"),
    "a number": (b'{"pictures": [7]}', "application/json", 400, "malformed"),
    "a number for data": (b'{"pictures": [{"data": 7}]}', "application/json", 400, "malformed"),
    "no data": (b'{"pictures": [{"name": "x"}]}', "application/json", 400, "malformed"),
    "no base64": (b'{"pictures": ["\\u00fc"]}', "application/json", 400, "malformed"),
    "half of base64": (b'{"pictures": ["AAA"]}', "application/json", 400, "malformed"),
    "another key": (b'{"pictures": ["AAAA"], "topp": 1}', "application/json", 400, "malformed"),
    "top of text": (b'{"pictures": ["AAAA"], "top": "x"}', "application/json", 400, "malformed"),
    "top of truth": (b'{"pictures": ["AAAA"], "top": true}', "application/json", 400, "malformed"),
    "top of nothing": (b'{"pictures": ["AAAA"], "top": 0}', "application/json", 400, "malformed"),
    "include a number": (b'{"pictures": ["AAAA"], "include": [1]}', "application/json", 400, "malformed"),
    "include what is not": (b'{"pictures": ["AAAA"], "include": "soul"}', "application/json", 400, "malformed"),
    "a header of a part that is long": (
        b'--x\r\nContent-Disposition: form-data; name="p"; filename="p"\r\nX: ' + b"y" * 4150 + b"\r\n\r\nabc\r\n--x--",
        "multipart/form-data; boundary=x",
        400,
        "malformed",
    ),
    "a boundary far behind": (
        b'--x\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\nabc\r\n--x--',
        f"multipart/form-data;{' ' * 5000}boundary=x",
        400,
        "malformed",
    ),
    "many": (b'{"pictures": ["", "", "", ""]}', "application/json", 413, "too_many_pictures"),
    "no boundary": (b"--x--", "multipart/form-data", 400, "malformed"),
    "long boundary": (b"--x--", f"multipart/form-data; boundary={'x' * 300}", 400, "malformed"),
    "no form": (b"hello", "multipart/form-data; boundary=x", 400, "malformed"),
    "empty form": (b"--x--\r\n", "multipart/form-data; boundary=x", 400, "malformed"),
    "cut form": (
        b'--x\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\nabc',
        "multipart/form-data; boundary=x",
        400,
        "malformed",
    ),
    "a part without a name": (b"--x\r\nA: b\r\n\r\nc\r\n--x--", "multipart/form-data; boundary=x", 400, "malformed"),
    "a field": (
        b'--x\r\nContent-Disposition: form-data; name="p"\r\n\r\nabc\r\n--x--',
        "multipart/form-data; boundary=x",
        400,
        "malformed",
    ),
    "top twice": (
        b'--x\r\nContent-Disposition: form-data; name="top"\r\n\r\n1\r\n' * 2 + b"--x--",
        "multipart/form-data; boundary=x",
        400,
        "malformed",
    ),
    "a long field": (
        b'--x\r\nContent-Disposition: form-data; name="top"\r\n\r\n' + b"1" * 2000 + b"\r\n--x--",
        "multipart/form-data; boundary=x",
        400,
        "malformed",
    ),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_bodies_are_refused(name: str) -> None:
    body, kind, status, code = BAD_BODIES[name]

    async def question(client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/predict", content=body, headers={"content-type": kind} if kind else {})
        refused(response, status, code)
        assert f'retinula_errors_total{{code="{code}"}} 1' in (await client.get("/metrics")).text

    ask(question, limits=Limits(max_bytes=5000, max_pixels=10_000, max_pictures=3))


@pytest.mark.parametrize("encoding", ["gzip", "identity, BR"])
def test_a_packed_body_is_no_broken_picture(encoding: str) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/predict", content=png(), headers={**PNG, "content-encoding": encoding})
        message = refused(response, 415, "unsupported_type")
        assert encoding.rpartition(" ")[2].lower() in message
        assert response.headers["accept-encoding"] == "identity"
        plain = await client.post("/v1/predict", content=png("blue"), headers={**PNG, "content-encoding": "Identity"})
        assert labels(plain) == ["blue"]

    ask(question)


def test_many_files_of_a_form_are_refused() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        response = await client.post("/v1/predict", files=[("p", (str(n), b"x")) for n in range(4)])
        assert "3 pictures" in refused(response, 413, "too_many_pictures")

    ask(question, limits=Limits(max_pictures=3))


@pytest.mark.parametrize(
    "query",
    [
        *("top=0", "top=-1", "top=1.5", "top=9999999", "top=²", "top=1&top=2", "tip=1", "include=soul"),
        "&".join(["include=seen"] * 17),
    ],
)
def test_bad_parameters_are_refused(query: str) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        refused(await client.post(f"/v1/predict?{query}", content=png(), headers=PNG), 400, "malformed")

    ask(question)


def test_paths_and_methods_that_there_are_not() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        refused(await client.get("/v1/nothing"), 404, "not_found")
        refused(await client.get("/healthz/"), 404, "not_found")
        refused(await client.post("/v1/predict/", content=png(), headers=PNG), 404, "not_found")
        response = await client.get("/v1/predict")
        refused(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "POST"
        metrics = (await client.get("/metrics")).text
        assert 'retinula_requests_total{route="other",status="404"} 3' in metrics

    ask(question)


def test_where_too_many_wait_the_next_is_sent_away_and_the_rest_share_batches() -> None:
    colours = Colours()

    async def question(client: httpx.AsyncClient) -> None:
        colours.may_go.clear()
        tasks = []
        for colour in ("red", "green", "blue"):
            tasks.append(asyncio.create_task(client.post("/v1/predict", content=png(colour), headers=PNG)))
            await asyncio.sleep(0.05)
        response = await client.post("/v1/predict", content=png(), headers=PNG)
        refused(response, 429, "too_many_waiting")
        assert response.headers["retry-after"] == "1"
        assert "retinula_waiting_requests 3\n" in (await client.get("/metrics")).text
        colours.may_go.set()
        assert [labels(await task) for task in tasks] == [["red"], ["green"], ["blue"]]
        assert colours.batches == [1, 2]
        assert "retinula_waiting_requests 0\n" in (await client.get("/metrics")).text
        assert labels(await client.post("/v1/predict", content=png(), headers=PNG)) == ["red"]

    ask(question, colours, Limits(max_waiting=3))


def test_what_takes_too_long_is_given_up() -> None:
    colours = Colours()

    async def question(client: httpx.AsyncClient) -> None:
        colours.may_go.clear()
        response = await client.post("/v1/predict", content=png(), headers=PNG)
        refused(response, 503, "too_slow")
        assert "retry-after" in response.headers
        colours.may_go.set()

    ask(question, colours, Limits(seconds=0.1))


def test_a_late_request_is_refused_at_once_and_counts_until_its_thread_has_returned_which_decodes_no_more() -> None:
    colours = Slow()

    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", (str(n), png())) for n in range(3)]
        begun = time.monotonic()
        refused(await client.post("/v1/predict", files=files), 503, "too_slow")
        assert time.monotonic() - begun < PATIENCE / 2  # its thread waits for all of it
        assert "retinula_waiting_requests 1\n" in (await client.get("/metrics")).text
        refused(await client.post("/v1/predict", content=png(), headers=PNG), 429, "too_many_waiting")
        colours.may_look.set()
        while "retinula_waiting_requests 0\n" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)
        assert colours.looked == 1

    ask(question, colours, Limits(seconds=0.4, max_waiting=1))


def test_the_body_of_a_late_request_counts_as_held_until_its_thread_has_returned() -> None:
    colours, picture = Slow(), png()

    async def question(client: httpx.AsyncClient) -> None:
        refused(await client.post("/v1/predict", content=picture, headers=PNG), 503, "too_slow")
        refused(await client.post("/v1/predict", content=picture, headers=PNG), 503, "overloaded")
        colours.may_look.set()
        while "retinula_waiting_requests 0\n" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)
        response = await client.post("/v1/predict", content=picture, headers=PNG)
        assert "overloaded" not in response.text

    ask(question, colours, Limits(seconds=0.4, max_bytes=len(picture), max_held_bytes=2 * len(picture) - 1))


def test_bodies_whose_turn_never_came_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinula.serving.service._MAX_THREADS", 1)
    colours, forgotten = Slow(), []

    class Body(bytes):
        def __del__(self) -> None:
            forgotten.append(len(self))

    async def go() -> None:
        async with Service(colours.served, Limits(seconds=0.4), Counters()) as service:
            first = asyncio.create_task(service.answer("image/png", png(), []))
            while not colours.looked:
                await asyncio.sleep(0.01)
            others = [asyncio.create_task(service.answer("image/png", Body(size), [])) for size in (7, 8)]
            outcomes = await asyncio.gather(first, *others, return_exceptions=True)
            assert [isinstance(each, Refusal) and each.code for each in outcomes] == ["too_slow"] * 3
            del first, others, outcomes
            await asyncio.sleep(0)  # the loop lets go of what woke this task
            gc.collect()
            assert sorted(forgotten) == [7, 8]
            assert (service.waiting, service.kept_bytes) == (1, len(png()))
            colours.may_look.set()
            while service.waiting:
                await asyncio.sleep(0.01)
            assert service.kept_bytes == 0

    asyncio.run(go())


@pytest.mark.parametrize(
    ("failure", "status", "code"), [(MemoryError(), 503, "overloaded"), (ArithmeticError("secret"), 500, "failed")]
)
def test_a_failing_model_is_an_answer_and_not_the_end(failure: Exception, status: int, code: str) -> None:
    colours = Colours()

    async def question(client: httpx.AsyncClient) -> None:
        colours.failure = failure
        message = refused(await client.post("/v1/predict", content=png(), headers=PNG), status, code)
        assert "secret" not in message
        colours.failure = None
        assert labels(await client.post("/v1/predict", content=png("green"), headers=PNG)) == ["green"]

    ask(question, colours)


def test_a_body_that_does_not_arrive_and_one_too_much_at_once() -> None:
    async def go() -> None:
        bodies = Bodies(Limits(max_bytes=10, max_held_bytes=15, seconds=0.1))

        def request(*chunks: bytes) -> Request:
            messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]

            async def receive() -> Any:
                if not messages:
                    await asyncio.sleep(60)
                return messages.pop(0)

            return Request({"type": "http", "method": "POST", "headers": []}, receive)

        slow = bodies.read(request(b"12345678"))
        with pytest.raises(Refusal) as error:
            await slow.__aenter__()
        assert error.value.status == 408
        waits = asyncio.create_task(bodies.read(request(b"12345678")).__aenter__())
        await asyncio.sleep(0.02)
        assert bodies.held == 8
        with pytest.raises(Refusal) as error:
            await bodies.read(request(b"12345678")).__aenter__()
        assert error.value.code == "overloaded"
        with pytest.raises(Refusal) as error:
            await waits
        assert bodies.held == 0

    asyncio.run(go())


def test_an_announced_body_that_is_too_large_is_not_read() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        async def never() -> AsyncIterator[bytes]:
            for chunk in read:
                yield chunk
            raise AssertionError("it was read")

        read: list[bytes] = []
        for length in ("11", "9" * 40):
            headers = {"content-length": length, **PNG}
            refused(await client.post("/v1/predict", content=never(), headers=headers), 413, "too_large")

    ask(question, limits=Limits(max_bytes=10))


def test_only_who_knows_the_token_may_ask() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        for given in ("", "Bearer", "Bearer wrong", "Basic secret", "secret", "Bearer secrets", "Bearer sécret"):
            response = await client.get("/v1/model", headers={b"authorization": given.encode()} if given else {})
            refused(response, 401, "unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
        for path in ("/v1/predict", "/metrics", "/nothing"):
            refused(await client.get(path), 401, "unauthorized")
        assert (await client.get("/healthz")).status_code == 200
        response = await client.get("/openapi.json", headers={"authorization": "bearer secret"})
        assert response.json()["components"]["securitySchemes"]["token"]["scheme"] == "bearer"

    ask(question, token="secret")  # noqa: S106 - of this test alone


def test_a_name_that_points_here_from_elsewhere_is_refused() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        for host in ("evil.example", "localhost.evil.example:80", "", "localhost:"):
            refused(await client.get("/healthz", headers={"host": host}), 400, "wrong_host")
        for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "[::1]"):
            assert (await client.get("/healthz", headers={"host": host})).status_code == 200

    ask(question, hosts=("localhost", "127.0.0.1", "[::1]"))


def test_pages_of_others_may_not_send_pictures() -> None:
    there = "http://evil.example"
    others: list[dict[str, str]] = [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost"},
        {"sec-fetch-site": "same-site", "origin": "http://localhost:3000"},
        {"origin": there},
        {"origin": "http://nas.lan", "host": "nas.lan:443"},
        {"origin": "https://nas.lan", "host": "nas.lan:80"},
        {"origin": "http://nas.lan:8080", "host": "nas.lan"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "null"},
        {"origin": ""},
    ]
    own: list[dict[str, str]] = [
        {},
        {"origin": "http://localhost"},
        {"origin": "HTTPS://LOCALHOST"},
        {"origin": "http://nas.lan", "host": "nas.lan:80"},
        {"origin": "https://nas.lan", "host": "NAS.lan:443"},
        {"origin": "http://nas.lan:80", "host": "nas.lan"},
        {"origin": "https://a.example", "sec-fetch-site": "same-origin"},  # a proxy that names this server otherwise
        {"sec-fetch-site": "none"},
    ]

    async def question(client: httpx.AsyncClient) -> None:
        for headers in others:
            response = await client.post("/v1/predict", files=[("p", ("a.png", png()))], headers=headers)
            message = refused(response, 403, "cross_site")
            assert "another page" in message
            assert "pass Host on" in message
        for headers in own:
            assert labels(await client.post("/v1/predict", content=png(), headers={**PNG, **headers})) == ["red"]
        followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await client.get("/", headers=followed)).status_code == 200
        assert "403" in (await client.get("/openapi.json")).json()["paths"]["/v1/predict"]["post"]["responses"]

    ask(question)

    async def with_token(client: httpx.AsyncClient) -> None:
        headers = {**PNG, "authorization": "Bearer secret", "origin": there, "sec-fetch-site": "cross-site"}
        assert labels(await client.post("/v1/predict", content=png(), headers=headers)) == ["red"]

    ask(with_token, token="secret")  # noqa: S106 - of this test alone


def test_every_answer_keeps_browsers_safe() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        for response in (await client.get("/healthz"), await client.get("/nothing")):
            policy = response.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in response.headers

    ask(question)


def test_the_model_and_the_interface_are_described() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        model = (await client.get("/v1/model")).json()
        assert (model["name"], model["classes"]) == ("colours", ["red", "green", "blue"])
        assert model["includes"] == ["heatmap", "seen", "similar"]
        assert model["limits"]["max_pictures"] == 7
        interface = (await client.get("/openapi.json")).json()
        assert interface["openapi"].startswith("3.1")
        assert interface["paths"].keys() == {"/v1/predict", "/v1/model", "/healthz", "/metrics", "/openapi.json"}
        for path, methods in interface["paths"].items():
            for method in methods:
                response = await client.request(method, path, content=png(), headers=PNG)
                assert response.status_code == 200, path
                assert response.headers["content-type"].split(";")[0] in methods[method]["responses"]["200"]["content"]
        pictures = interface["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
        assert pictures["schema"]["properties"]["pictures"]["maxItems"] == 7

    ask(question, limits=Limits(max_pictures=7))


def test_the_interface_tells_of_a_token_where_there_is_one() -> None:
    def told(token: str | None) -> set[str]:
        paths = {}

        async def question(client: httpx.AsyncClient) -> None:
            allowed = {"authorization": f"Bearer {token}"}
            paths.update((await client.get("/openapi.json", headers=allowed)).json()["paths"])

        ask(question, token=token)
        return {path for path, methods in paths.items() for each in methods.values() if "401" in each["responses"]}

    assert told(None) == set()
    assert told("secret") == {"/v1/predict", "/v1/model", "/metrics", "/openapi.json"}


def test_nothing_is_written_to_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was opened for writing")

    for name in ("SpooledTemporaryFile", "TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, 4_000_000, dtype=np.uint8).tobytes()
    large = b"P6 1000 1000 255\n" + noise[:3_000_000]

    async def question(client: httpx.AsyncClient) -> None:
        files = [("p", ("a.ppm", large)), ("p", ("b.ppm", noise))]
        response = await client.post("/v1/predict?include=seen,heatmap", files=files)
        assert labels(response) == [labels(response)[0], None]

    ask(question)
    assert not list(tmp_path.iterdir())


def test_a_long_answer_is_the_same_answer() -> None:
    async def question(client: httpx.AsyncClient) -> None:
        content = {"pictures": [base64_of(png("blue"))] * 100}
        short = (await client.post("/v1/predict", json={**content, "top": 3})).json()["predictions"]
        assert (await client.post("/v1/predict", json={**content, "top": 900})).json()["predictions"] == short
        assert len(short) == 100

    ask(question)


def test_stopping_answers_what_has_begun() -> None:
    colours = Colours()

    async def go() -> None:
        app = build_app(colours.served)
        async with client_of(app) as client:
            async with running(app):
                colours.may_go.clear()
                task = asyncio.create_task(client.post("/v1/predict", content=png("green"), headers=PNG))
                while not colours.batches:
                    await asyncio.sleep(0.01)
                asyncio.get_running_loop().call_later(0.05, colours.may_go.set)
            assert labels(await task) == ["green"]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(("batcher", "decode"))]

    asyncio.run(go())


def test_limits_make_sense() -> None:
    with pytest.raises(InputError, match="max_pictures"):
        Limits(max_pictures=0)
    with pytest.raises(InputError, match="seconds"):
        Limits(seconds=float("nan"))
    with pytest.raises(InputError, match="fewer"):
        Limits(max_bytes=10, max_held_bytes=9)
    with pytest.raises(InputError, match="fewer"):
        Limits(max_pixels=10, max_request_pixels=9)
    assert Limits(max_bytes=10, max_held_bytes=10, max_pixels=10, max_request_pixels=10).max_pixels == 10
    assert json.dumps(vars(Limits()))
