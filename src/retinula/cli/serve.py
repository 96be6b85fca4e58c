"""`retinula serve`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, remark, say, say_json
from retinula.cli.trained import RunOrAnyModel, called, found_model, is_onnx, with_result
from retinula.errors import InputError, RetinulaError
from retinula.extras import load, need

if TYPE_CHECKING:
    from retinula.runs.run import Run
    from retinula.serving.neighbours import Neighbours
    from retinula.serving.served import Served
    from retinula.trained.model_file import Model

MIB = 1024 * 1024
FEWEST_CONNECTIONS = 64
TOKEN_VARIABLE = "RETINULA_TOKEN"  # noqa: S105 - the name of a variable, not a token


def serve(
    run: RunOrAnyModel,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="The address to listen on; 0.0.0.0 makes it reachable from other machines."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar=TOKEN_VARIABLE,
            help="What clients have to show: Authorization: Bearer TOKEN. Others on this machine see what the command "
            "line says, but not what the variable says.",
            show_default=False,
        ),
    ] = None,
    max_mib: Annotated[int, typer.Option(metavar="N", help="MiB that a request may have.", min=1, max=1024)] = 32,
    max_pixels: Annotated[
        int, typer.Option(metavar="N", help="Pixels that a picture may have.", min=1, max=64_000_000)
    ] = 64_000_000,
    max_pictures: Annotated[
        int, typer.Option(metavar="N", help="Pictures that a request may have.", min=1, max=10_000)
    ] = 256,
    max_waiting: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Requests that may be worked on or wait; twice as many connections may be open, 64 at least.",
            min=1,
            max=10_000,
        ),
    ] = 256,
    similar: Annotated[
        int,
        typer.Option(
            metavar="N", help="How many pictures from training to look through for the most similar ones.", min=0
        ),
    ] = 1000,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="Seconds that a request may take to arrive, and its answer to be ready.", min=0.1
        ),
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Answer over HTTP, and in a browser, what is on pictures.

    Only this machine is served unless --host is given.
    """
    need("serve", "the server")
    for module in ("starlette.applications", "uvicorn.protocols.http.h11_impl", "python_multipart.multipart"):
        load("serve", "the server", module)
    if token is None and TOKEN_VARIABLE in os.environ:
        token = os.environ[TOKEN_VARIABLE]  # nothing in it is a mistake, not the wish to do without
    if token is not None and (not token.strip() or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError("a token is one word of ASCII characters, as from: openssl rand -hex 16")
    from retinula.serving.app import build_app
    from retinula.serving.limits import Limits
    from retinula.serving.server import address_of, allowed_hosts, is_ipv6_alone, is_loopback, listen
    from retinula.serving.server import run as run_server

    limits = Limits(
        max_bytes=max_mib * MIB,
        max_held_bytes=max(8 * max_mib * MIB, Limits.max_held_bytes),
        max_pixels=max_pixels,
        max_pictures=max_pictures,
        max_waiting=max_waiting,
        # A browser opens six by itself, and keeps them.
        max_connections=max(FEWEST_CONNECTIONS, 2 * max_waiting),
        seconds=seconds,
        head_seconds=min(seconds, Limits.head_seconds),
    )
    # Before the model is read: a port that is taken should not take seconds to find out.
    listening = listen(host, port)
    with listening:
        served, runs = _served(run, similar)
        # With a token a page elsewhere cannot ask, whatever its name points to.
        hosts = None if token else allowed_hosts(listening, host)
        app = build_app(served, limits, token=token, hosts=hosts, runs=runs)
        if not is_loopback(listening) and token is None:
            remark(f"anyone who reaches this machine on port {listening.getsockname()[1]} can ask; --token closes that")
        if is_ipv6_alone(listening):
            remark("clients reach it by IPv6 alone; --host 0.0.0.0 is for those of IPv4")
        address = address_of(listening)

        def tell() -> None:
            if as_json:
                say_json({"name": served.name, "address": address, "port": listening.getsockname()[1]})
            else:
                say(f"{served.name}: {address} (Ctrl-C stops)")

        run_server(app, listening, limits, tell)
    remark("stopped")


def _served(run: str, num_similar: int) -> "tuple[Served, Path]":
    """Return what is served, and the folder whose trainings are shown: that of its run, or the usual one."""
    from retinula.runs.run import RUNS

    path = Path(run)
    if is_onnx(run):
        from retinula.serving.from_onnx import served_onnx
        from retinula.trained.onnx_model import OnnxModel

        exported = OnnxModel.load(path)
        return served_onnx(exported, called(path, exported.metadata.get("provenance"))), RUNS
    found = found_model(run)  # before torch is loaded
    from retinula.serving.from_model import served_model
    from retinula.trained.model_file import Model

    model, own = Model.load(found.file), found.run
    if own is None:
        return served_model(model, called(found.file, model.provenance)), RUNS
    served = served_model(with_result(model, own), own.name, _neighbours(model, own, num_similar))
    return served, own.path.resolve().parent


def _neighbours(model: "Model", run: "Run", number: int) -> "Neighbours | None":
    """Look through pictures of the run's training; a server does without them where they are not at hand."""
    from retinula.datasets.catalog import CATALOG
    from retinula.datasets.load import is_here
    from retinula.evaluation.run_data import find_own
    from retinula.serving.neighbours import Neighbours

    if not number or not model.classifies:
        return None
    try:
        name = run.recipe().data.name
        if name in CATALOG and not is_here(name):  # nobody who serves a model waits for a download
            raise InputError(f"{name} is not on this machine; get it with: retinula data get {name}")
        return Neighbours(model, find_own(run).of("train"), number)
    except RetinulaError as error:
        remark(f"without the most similar pictures of its training: {error}")
        return None
