"""The command `retinula`: one file a group of commands, and one place where errors become a line and an exit code.

Only here and in its neighbours are imports made inside functions, so that `retinula --help` never loads torch.
"""

import atexit
import gc
import logging
import os
import sys
from typing import IO, Annotated, Any

import typer

from retinula.cli import (
    bench,
    catalogs,
    data,
    doctor,
    evaluate,
    explain,
    export,
    predict,
    reconstruct,
    report,
    reproduce,
    runs,
    serve,
    train,
    tune,
)
from retinula.cli.targets import as_setting
from retinula.errors import WRONG_PLACE, Interrupted, RetinulaError, ran_out_of_memory
from retinula.text.remarks import remark
from retinula.version import __version__

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, Interrupted.exit_code
TRACEBACK = "RETINULA_TRACEBACK"

app = typer.Typer(
    name="retinula",
    help="From any collection of small pictures to a trained, examined model, on an ordinary computer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("export")(export.export)
app.command("reconstruct")(reconstruct.reconstruct)
app.command("reproduce")(reproduce.reproduce)
app.command("serve")(serve.serve)
app.command("report")(report.report)
app.command("results")(reproduce.results)
app.add_typer(data.app, name="data")
app.command("models")(catalogs.models)
app.command("recipes")(catalogs.recipes)
app.add_typer(runs.app, name="runs")
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"retinula {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 failed, 2 wrong use or input, 130 interrupted."""
    # Pictures are named in any language, whatever the locale says.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # Where it may not write into the home folder, matplotlib makes a temporary one, and need not say so.
    logging.getLogger("matplotlib").addHandler(logging.NullHandler())
    # Without it Python looks through all that was ever imported once more for garbage before it goes, which takes
    # longer than an answer does. What is registered for the end still runs, threads are joined, streams flushed; only
    # what hangs in a circle is not finalised any more, and no file is left open in one.
    atexit.register(gc.freeze)
    code = _exit_code()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it is not closed
            _settle(stream)
    sys.exit(code)


def _exit_code() -> int:
    try:
        code = app(standalone_mode=False, prog_name="retinula")
    except RetinulaError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except typer.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        return FAILED  # whoever read our output has gone; say nothing more
    except Exception as error:
        if ran_out_of_memory(error):
            return _complain("not enough memory; try a smaller training.batch_size or inputs.size", FAILED)
        if hasattr(error, "format_message"):  # what typer itself complains about: an unknown option and the like
            message = error.format_message()
            if message.startswith("Usage:"):  # nothing but a group's name was given: its help, as it is laid out
                remark(message)
                return WRONG_USE
            return _complain(_setting_meant(error) or f"{message} (see --help)", WRONG_USE)
        if os.environ.get(TRACEBACK):
            raise
        if isinstance(error, OSError) and error.strerror:
            name = error.filename
            place = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
            return _complain(f"{place}{error.strerror}", WRONG_USE if error.errno in WRONG_PLACE else FAILED)
        kind = type(error).__name__
        return _complain(f"unexpected {kind}: {error} (set {TRACEBACK}=1 to see where, and please report it)", FAILED)
    if code == INTERRUPTED:  # what typer makes of Ctrl-C
        return _complain("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _setting_meant(error: Any) -> str | None:
    """Tell those who write `--epochs 3` how settings are written, where the command takes any."""
    option = getattr(error, "option_name", "")
    if not option.startswith("--") or not any("key=value" in (each.metavar or "") for each in error.ctx.command.params):
        return None
    for word, following in zip(sys.argv, [*sys.argv[1:], "..."], strict=True):
        name, equals, value = word.partition("=")
        if name == option:
            return as_setting(option, value if equals else following)
    return None


def _complain(message: str, code: int) -> int:
    remark(f"retinula: {' '.join(message.split())}")
    return code


def _settle(stream: IO[str]) -> None:
    """Let go what a stream could not write, which would fail once more at exit, with a traceback and another code."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
