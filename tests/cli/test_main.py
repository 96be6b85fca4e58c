import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from command_line import run_command


def retinula(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from retinula.cli.main import main; main()", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from retinula.cli import main; sys.argv = ['retinula', '--help']\n"
        "try: main.main()\n"
        "finally: print(sorted({'torch', 'numpy', 'sklearn', 'matplotlib', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    words = ("train", "tune", "evaluate", "predict", "explain", "reconstruct", "reproduce", "results")
    for word in (*words, "data", "models", "recipes", "runs"):
        assert f"\n  {word} " in done.stdout
    assert done.stdout.endswith("[]\n")


def test_the_package_calls_itself_by_the_name_of_its_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "retinula", "runs", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60)
    assert done.stdout.startswith("Usage: retinula runs ")


def test_every_command_says_in_one_line_what_it_does() -> None:
    from retinula.cli import main

    def look(command: Any) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            assert not inner.get_short_help_str(60).endswith("..."), name
            look(inner)
        for each in command.params:
            kind = each.type.name
            assert each.metavar or getattr(each, "is_flag", False) or kind == "choice", f"{command.name} {each.name}"

    look(typer.main.get_command(main.app))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("predict", ".onnx"),
        ("serve", ".onnx"),
        ("train", "track="),
        ("train", "model.weights"),
    ],
)
def test_help_names_what_pages_rely_on(command: str, told: str) -> None:
    from retinula.cli import main

    commands: Any = typer.main.get_command(main.app)
    assert told in " ".join(each.help for each in commands.commands[command].params if each.help)


def test_without_a_home_matplotlib_says_nothing_of_its_own(tmp_path: Path) -> None:
    code = (
        "import sys; from retinula.cli import main; sys.argv = ['retinula', '--version']\n"
        "try: main.main()\n"
        "except SystemExit: import matplotlib"
    )
    hidden = ("HOME", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | {"HOME": os.devnull}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    assert (done.stdout.startswith("retinula "), done.stderr) == (True, "")


@pytest.mark.slow
def test_help_is_there_at_once(tmp_path: Path) -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert retinula("--help", cwd=tmp_path).returncode == 0
        times.append(time.perf_counter() - start)
    assert sorted(times)[2] < 0.4


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("train", "cifar1O"), 2, "there is no recipe, data set or folder called 'cifar1O'"),
        (("train", "digits", "shapes"), 2, "one recipe, data set or folder at a time"),
        (("train", "epochs=x"), 2, "training.epochs"),
        (("train", "epochs", "3"), 2, "settings are written epochs=3"),
        (("train", "--epochs", "3"), 2, "settings are written epochs=3"),
        (("train", "--learning-rate=0.1"), 2, "settings are written lr=0.1"),
        (("tune", "digits", "--lr", "1e-3..1"), 2, "settings are written lr=1e-3..1"),
        (("evaluate", "last", "--epochs", "3"), 2, "No such option: --epochs"),
        (("train", "--colour", "red"), 2, "--colour"),
        (("train", "--model", "resnet"), 2, "no network 'resnet'"),
        (("train", "--model", "ResNet18"), 2, "of others' networks there are those of timm: --model timm/resnet18"),
        (("train", "model=yolo11n-cls"), 2, "of others' networks there are those of timm: --model timm/resnet18"),
        (("models", "mobilenet_v2"), 2, "did you mean 'mobilenetv2'"),
        (("train", "--model", "last"), 2, "there is no run in"),
        (("train", "--model", "broken.safetensors"), 2, "broken.safetensors: not a safetensors file"),
        (("train", "--freeze"), 2, "freeze needs a trained model to begin from: give model.weights (--model RUN"),
        (("train", "--model", "residual", "--freeze"), 2, "freeze needs a trained model to begin from"),
        (("train", "cifar100-transfer"), 2, "train it first with: retinula train cifar100-mobilenetv2"),
        (("train", "--resume", "last", "--freeze"), 2, "give nothing else with it"),
        (("train", "--resume", "last"), 2, "there is no run in"),
        (("train", "--resume", "x", "epochs=3"), 2, "give nothing else with it"),
        (("evaluate", "last"), 2, "there is no run in"),
        (("evaluate",), 2, "Missing argument"),
        (("evaluate", "last", "--split", "exam"), 2, "--split"),
        (("predict", "nothing", "x.png"), 2, "no run 'nothing'"),
        (("predict", "broken.safetensors", "x.png"), 2, "broken.safetensors: not a safetensors file"),
        (("models", "resnet"), 2, "resnet"),
        (("recipes", "nothing"), 2, "no recipe 'nothing'"),
        (("data", "check", "nowhere"), 2, "nowhere"),
        (("data", "get", "mnits"), 2, "mnits"),
        (("runs", "show", "last"), 2, "there is no run in"),
        (("fly",), 2, "fly"),
        *(
            ((*words, "x" * 300), 2, "File name too long")
            for words in (
                ("runs", "show"),
                ("evaluate",),
                ("report",),
                ("serve",),
                ("data", "check"),
                ("data", "show"),
                ("data", "get", "cifar10", "--from"),
                ("train", "--resume"),
                ("train", "--model"),
            )
        ),
        (("predict", "x" * 300, "a.png"), 2, "File name too long"),
        (("explain", "x" * 300, "a.png"), 2, "File name too long"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    words: tuple[str, ...],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from retinula.cli import main

    (tmp_path / "broken.safetensors").write_bytes(b"\x00" * 40)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["retinula", *words])
    with pytest.raises(SystemExit) as left:
        main.main()
    captured = capsys.readouterr()
    assert left.value.code == code
    assert message in captured.err
    assert captured.err.startswith("retinula: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "runs").exists()


def test_an_error_nobody_thought_of_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from retinula.cli import main
    from retinula.recipe import files as recipe_files

    def fail() -> dict[str, str]:
        raise LookupError("a fault\nof ours")

    monkeypatch.setattr(recipe_files, "shipped", fail)
    monkeypatch.setattr(sys, "argv", ["retinula", "recipes"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 1
    expected = "retinula: unexpected LookupError: a fault of ours (set RETINULA_TRACEBACK=1 to see where"
    assert capsys.readouterr().err.startswith(expected)
    monkeypatch.setenv("RETINULA_TRACEBACK", "1")
    with pytest.raises(LookupError):
        main.main()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        *((number, 2) for number in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.EISDIR)),
        *((number, 1) for number in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE)),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_the_program(
    number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from retinula.recipe import files as recipe_files

    def fail() -> dict[str, str]:
        raise OSError(number, os.strerror(number), "a\nb.txt" if code == 2 else None)

    monkeypatch.setattr(recipe_files, "shipped", fail)
    _, err = run_command(monkeypatch, capsys, "recipes", code=code)
    assert err == f"retinula: {'a b.txt: ' if code == 2 else ''}{os.strerror(number)}\n"


def test_a_fault_of_another_library_that_is_an_error_of_the_system_in_name_only_is_told_as_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from retinula.recipe import files as recipe_files

    def fail() -> dict[str, str]:
        raise OSError("broken data stream")

    monkeypatch.setattr(recipe_files, "shipped", fail)
    assert "unexpected OSError: broken data stream" in run_command(monkeypatch, capsys, "recipes", code=1)[1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 (a device)
@pytest.mark.parametrize(
    ("stream", "code", "said"),
    [("stdout", 1, "retinula: cannot write to standard output: No space left on device\n"), ("stderr", 2, "")],
)
def test_output_that_cannot_be_written_is_no_traceback(stream: str, code: int, said: str, tmp_path: Path) -> None:
    word = "default" if stream == "stdout" else "nothing"
    command = [sys.executable, "-m", "retinula", "recipes", word]
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        done = subprocess.run(command, **streams, text=True, cwd=tmp_path, timeout=60, check=False)  # type: ignore[call-overload]  # two streams by name
    assert (done.returncode, done.stderr or "") == (code, said)


@pytest.mark.parametrize("kind", ["of Python", "of torch", "of torch on a GPU"])
def test_too_little_memory_is_called_that(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from retinula.recipe import files as recipe_files

    def fail() -> dict[str, str]:
        if kind == "of torch":
            torch.empty(2**50)
        raise MemoryError if kind == "of Python" else torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr(recipe_files, "shipped", fail)
    _, err = run_command(monkeypatch, capsys, "recipes", code=1)
    assert err == "retinula: not enough memory; try a smaller training.batch_size or inputs.size\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 1)])
def test_exit_codes(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from retinula.cli import main
    from retinula.recipe import files as recipe_files

    def fail() -> dict[str, str]:
        raise error

    monkeypatch.setattr(recipe_files, "shipped", fail)
    monkeypatch.setattr(sys, "argv", ["retinula", "recipes"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error_message(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from retinula.cli.main import main; main()' recipes digits | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)  # noqa: S602 (a pipe is the point)
    assert done.stdout.startswith("# digest ")
    assert done.stderr == ""
