"""How many requests a second does `retinula serve` answer, against a small app that asks eager torch for each?

    python -m benchmarks.serving RUN|MODEL.safetensors [ONNX ...] [--clients 64] [--seconds 20] [--rounds 3]

Every server runs in a process of its own, in turns, and so does the load: so many clients, each of which sends a form
with a picture (32 x 32, PNG) and waits for its answer before it sends the next. The plain app is what a tutorial would
show: FastAPI where it is installed, Starlette otherwise; Pillow, then the network as it is, in inference mode, for one
picture. It runs once with the endpoint in threads and once in the event loop, and the better one counts. Errors, the
slowest 1 % and the growth of the server's memory, from a third of the time to its end, are printed as well.
"""

import asyncio
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks import turns

ADDRESS = "http://127.0.0.1:"
BOUNDARY = "7d29aX"
WARM_UP = 3.0  # seconds not counted


class Load(NamedTuple):
    """What one server did under load."""

    requests: int
    errors: int
    seconds: float
    median: float
    p99: float
    memory: tuple[int, int]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def request_bytes() -> bytes:
    """Return a form with a picture: noise, since it does not matter for the time what is on it."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head.encode() + buffer.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return (
        f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def client(port: int, request: bytes, until: float, seconds: list[float]) -> int:
    """Send one request after the other; note how long each took; return how many failed."""
    errors = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (begun := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        seconds.append(time.perf_counter() - begun)
        errors += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return errors


async def press(port: int, clients: int, duration: float, request: bytes, resident: Callable[[], int]) -> Load:
    """Put a server under load."""
    warm = time.perf_counter() + WARM_UP
    await asyncio.gather(*(client(port, request, warm, []) for _ in range(clients)))
    seconds: list[float] = []
    begun = time.perf_counter()
    tasks = [asyncio.create_task(client(port, request, begun + duration, seconds)) for _ in range(clients)]
    await asyncio.sleep(duration / 3)
    before = resident()
    errors = sum(await asyncio.gather(*tasks))
    elapsed = time.perf_counter() - begun
    seconds.sort()
    p99 = seconds[int(0.99 * len(seconds))]
    return Load(len(seconds), errors, elapsed, statistics.median(seconds), p99, (before, resident()))


def resident_mib(process: int) -> int:
    """Return the memory that a process has in use, in MiB (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


def serve_plain(path: Path, how: str) -> None:
    """Be the plain app."""
    import torch
    import uvicorn

    from retinula.serving.server import listen
    from retinula.trained.model_file import Model

    model = Model.load(path)
    mode = "L" if model.preprocess.channels == 1 else "RGB"

    def answer(content: bytes) -> dict[str, Any]:
        picture = Image.open(io.BytesIO(content)).convert(mode).resize(model.preprocess.size[::-1])
        images = torch.from_numpy(np.atleast_3d(np.asarray(picture)).copy()).permute(2, 0, 1)[None]
        with torch.inference_mode():
            inputs = model.preprocess.inputs(images)
            probs = torch.softmax(model.network(inputs) / model.temperature, dim=1)[0]
        values, order = probs.topk(min(5, len(probs)))
        named = zip(order.tolist(), values.tolist(), strict=True)
        return {"top": [{"label": model.classes[index], "probability": value} for index, value in named]}

    listening = listen("127.0.0.1", 0)
    print(f"{ADDRESS}{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(plain_app(answer, how), log_level="error")).run(sockets=[listening])


def plain_app(answer: Callable[[bytes], dict[str, Any]], how: str) -> Any:
    """Return the plain app: FastAPI's, where it is installed."""
    try:
        import fastapi
    except ImportError:
        return _starlette(answer, how)
    app = fastapi.FastAPI()

    def in_threads(file: fastapi.UploadFile) -> dict[str, Any]:
        return answer(file.file.read())

    async def in_loop(file: fastapi.UploadFile) -> dict[str, Any]:
        return answer(await file.read())

    app.post("/v1/predict")(in_threads if how == "threads" else in_loop)
    return app


def _starlette(answer: Callable[[bytes], dict[str, Any]], how: str) -> Any:
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.datastructures import UploadFile
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def predict(request: Request) -> JSONResponse:
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)  # noqa: S101 - this script sends nothing else
            content = await file.read()
        return JSONResponse(await run_in_threadpool(answer, content) if how == "threads" else answer(content))

    return Starlette(routes=[Route("/v1/predict", predict, methods=["POST"])])


def measure(command: list[str], clients: int, seconds: float) -> Load:
    """Start a server, press it, stop it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        line = process.stdout.readline()
        port = int(line.partition(ADDRESS)[2].split()[0])
        words = [str(port), str(clients), str(seconds), str(process.pid)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.serving", "--press", *words], capture_output=True, text=True, check=True
        )
        return Load(*json.loads(done.stdout))
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the rounds and the ratio."""
    parser = turns.arguments(__doc__, rounds=3)
    parser.add_argument("model", nargs="?", help="a run, or a model file")
    parser.add_argument("onnx", nargs="*", help="files that retinula export wrote of it")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only-ours", action="store_true", help="leave the plain app out")
    parser.add_argument("--plain", choices=("threads", "loop"), help="be the plain app")
    parser.add_argument("--press", nargs=4, metavar="WORD", help="be the load: port, clients, seconds, process")
    options = parser.parse_args()
    if options.press:
        port, clients, seconds, process = options.press
        load = press(int(port), int(clients), float(seconds), request_bytes(), lambda: resident_mib(int(process)))
        print(json.dumps(asyncio.run(load)))
        return
    path = turns.model_file(options.model)
    if options.plain:
        serve_plain(path, options.plain)
        return
    ours = [sys.executable, "-c", "from retinula.cli.main import main; main()", "serve", "--port", "0"]
    sides = {f"retinula, {Path(file).name}": [*ours, file] for file in (*options.onnx, str(path))}
    served = list(sides)
    if not options.only_ours:
        plain = [sys.executable, "-m", "benchmarks.serving", str(path), "--plain"]
        sides |= {"plain, threads": [*plain, "threads"], "plain, event loop": [*plain, "loop"]}
    loads: dict[str, list[Load]] = {name: [] for name in sides}
    turns.print_machine("fastapi", "starlette", "uvicorn", "onnxruntime")
    for _ in range(options.rounds):
        for name, command in sides.items():
            loads[name].append(measure(command, options.clients, options.seconds))
    for name, found in loads.items():
        rate = statistics.median(load.rate for load in found)
        memory = ", ".join(f"{before} to {after}" for before, after in (load.memory for load in found))
        median, p99 = (
            1000 * statistics.median(values) for values in zip(*((f.median, f.p99) for f in found), strict=True)
        )
        print(
            f"{name:27} {rate:7,.0f} requests/s  median {median:6.1f} ms  99 % {p99:6.1f} ms  "
            f"{sum(load.errors for load in found)} errors  memory {memory} MiB"
        )
    if not options.only_ours:
        for name in served:
            ratios = [
                mine.rate / max(threads.rate, loop.rate)
                for mine, threads, loop in zip(
                    loads[name], loads["plain, threads"], loads["plain, event loop"], strict=True
                )
            ]
            print(f"{name}: {turns.ratio_words(ratios)} x the better plain app")


if __name__ == "__main__":
    main()
