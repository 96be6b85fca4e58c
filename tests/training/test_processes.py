import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import several_processes
from retinula.errors import InputError
from retinula.files.tensor_file import load_tensors
from retinula.runs.run import Run
from retinula.training import processes

PLAIN = ["model=cifar10-cnn", "optimizer=sgd", "lr=0.02", "momentum=0.9", "average=0", "class_weights=balanced"]
ADAM = ["model=cifar10-cnn", "optimizer=adamw", "lr=0.001", "momentum=0", "nesterov=false", "weight_decay=0.01"]
KINDS = {
    "plain": PLAIN,
    "sam": [*PLAIN, "optimizer=sam", "clip_norm=1", "flip=random", "cutout=2", "brightness=0.1"],
    "muon": [*PLAIN, "optimizer=muon", "average=0.9", "weight_decay=0", "flip=alternating"],
    "mixed": [*ADAM, "mixup=0.4", "cutmix=1", "crop_padding=2", "average=0.5"],
    "photo": [*ADAM, "photo=0.5", "sampling=replacement", "metric=val_loss", "class_weights=balanced"],
    "noise": [
        *("model=cifar10-autoencoder", "objective=bce", "metric=val_loss", "label_smoothing=0", "normalise=unit"),
        *("optimizer=adam", "lr=0.01", "momentum=0", "nesterov=false", "weight_decay=0", "noise=[0.0,0.2]"),
    ],
    "early": [*PLAIN, "epochs=9", "early_stopping=1", "lr=1e-9", "metric=val_accuracy"],
}
NORMALISED = ["model.arguments.width=0.25", "optimizer=sgd", "lr=0.1", "average=0.9", "epochs=6"]
LONG = [*KINDS["noise"], "epochs=15"]
KILL = {"settings": LONG, "processes": 2, "checkpoint": 0.0, "signal": signal.SIGKILL}
JOBS: list[dict[str, Any]] = [
    *({"run": f"plain-{n}", "processes": n, "settings": PLAIN} for n in (1, 2, 3)),
    {"run": "whole", "processes": 2, "settings": LONG},
    {"run": "killed-second", "to": 1, **KILL},
    {"run": "killed-second", "processes": 2, "settings": LONG, "resume": True},
    {"run": "infinite", "processes": 2, "settings": [*PLAIN, "lr=1e30"]},
    {"run": "different", "processes": 2, "settings": PLAIN, "other_pictures": 1},
    {"run": "too-many", "processes": 2, "settings": [*PLAIN, "batch_size=3"]},
]
SLOW_JOBS: list[dict[str, Any]] = [
    *(
        {"run": f"{kind}-{n}", "processes": n, "settings": KINDS[kind]}
        for kind in KINDS
        if kind != "plain"
        for n in (1, 2)
    ),
    *({"run": f"norm-{n}", "processes": n, "settings": NORMALISED, "num_images": 64} for n in (1, 2)),
    {"run": "whole", "processes": 2, "settings": LONG},
    {**KILL, "run": "stopped", "to": 1, "signal": signal.SIGTERM},
    {"run": "stopped", "processes": 1, "settings": LONG, "resume": True},
    {"run": "killed-first", "to": 0, **KILL},
    {"run": "killed-first", "processes": 3, "settings": LONG, "resume": True},
]


class Ran(NamedTuple):
    root: Path
    ends: dict[str, list[int]]
    seconds: dict[str, float]
    said: list[str]

    def run(self, name: str) -> Run:
        return Run(self.root / name)

    def lines(self, name: str) -> list[str]:
        return [line.removeprefix(f"{name}: ") for line in self.said if line.startswith(f"{name}: ")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_all(JOBS, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def ran_slowly(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_all(SLOW_JOBS, tmp_path_factory.mktemp("runs"))


def run_all(jobs: list[dict[str, Any]], root: Path) -> Ran:
    """Run trainings one after another, in one program."""
    done = subprocess.run(
        [sys.executable, several_processes.__file__, str(root), json.dumps(jobs)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ends: dict[str, list[int]] = {}
    seconds: dict[str, float] = {}
    for job, result in zip(jobs, json.loads(done.stdout), strict=True):
        name = f"{job['run']}-resumed" if job.get("resume") else job["run"]
        ends[name], seconds[name] = result["ends"], result["seconds"]
    return Ran(root, ends, seconds, done.stderr.splitlines())


def losses(run: Run) -> list[float]:
    return [row["loss"] for row in run.steps()]


@pytest.mark.parametrize("number", [2, 3])
def test_several_processes_make_the_steps_of_one(number: int, ran: Ran) -> None:
    assert_same_steps("plain", number, ran)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "plain"])
def test_they_agree_whatever_the_recipe(kind: str, ran_slowly: Ran) -> None:
    assert_same_steps(kind, 2, ran_slowly)


def assert_same_steps(kind: str, number: int, ran: Ran) -> None:
    assert ran.ends[f"{kind}-{number}"] == [0] * number, ran.said
    one, several = ran.run(f"{kind}-1"), ran.run(f"{kind}-{number}")
    assert losses(several) == pytest.approx(losses(one), rel=2e-3)
    assert losses(several)[:2] == pytest.approx(losses(one)[:2], rel=1e-5)
    rows, others = several.metrics(), one.metrics()
    assert [row["step"] for row in rows] == [row["step"] for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row["accuracy"] == (None if other["accuracy"] is None else pytest.approx(other["accuracy"], abs=0.03))
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=5e-3)
    weights, wanted = load_tensors(several.model_file)[0], load_tensors(one.model_file)[0]
    for name, values in wanted.items():
        if "familiarity" not in name:
            torch.testing.assert_close(weights[name], values, rtol=0.02, atol=5e-3)


@pytest.mark.slow
def test_normalisation_of_parts_learns_as_well(ran_slowly: Ran) -> None:
    ran = ran_slowly
    one, two = (ran.run(f"norm-{number}") for number in (1, 2))
    assert ran.ends["norm-2"] == [0, 0]
    for run in (one, two):
        assert (run.metrics()[-1]["val_accuracy"] or 0) >= 0.95
    # Of the first step only what normalisation sees is different: half of the batch.
    assert losses(two) != losses(one)
    assert losses(two)[0] == pytest.approx(losses(one)[0], rel=0.1)
    assert two.report()["training"]["hardware"].startswith("2 processes, each on cpu with ")
    statistics, wanted = (load_tensors(run.model_file)[0] for run in (two, one))
    means = [name for name in wanted if name.endswith("running_mean")]
    assert means
    for name in means:
        torch.testing.assert_close(statistics[name], wanted[name], rtol=0.5, atol=0.2)


def test_a_killed_process_ends_all_within_seconds_and_the_run_goes_on(ran: Ran) -> None:
    assert ran.ends["killed-second"] == [1, -signal.SIGKILL]
    assert ran.seconds["killed-second"] < 20
    run = ran.run("killed-second")
    (line,) = ran.lines("killed-second")
    assert line == (
        "another process of this training has ended or cannot be reached; "
        f"go on with train(recipe, train_set, validation_set, run=Run('{run.path}')); "
        f"or end it there with finish('{run.path}', train_set, validation_set)"
    )
    assert ran.ends["killed-second-resumed"] == [0, 0]
    assert run.finished
    assert run.log_file.read_text().count("going on from step") == 1
    # Two processes again: the same sums in the same order.
    assert losses(run) == losses(ran.run("whole"))


@pytest.mark.slow
def test_without_the_first_process_the_others_end_too(ran_slowly: Ran) -> None:
    assert ran_slowly.ends["killed-first"] == [-signal.SIGKILL, 1]
    assert ran_slowly.seconds["killed-first"] < 20
    assert ran_slowly.lines("killed-first") == []  # the launcher's to say
    assert ran_slowly.ends["killed-first-resumed"] == [0, 0, 0]
    assert losses(ran_slowly.run("killed-first")) == pytest.approx(losses(ran_slowly.run("whole")), rel=1e-3)


@pytest.mark.slow
def test_one_process_asked_to_stop_stops_all_after_the_same_step(ran_slowly: Ran) -> None:
    ran = ran_slowly
    run = ran.run("stopped")
    assert ran.ends["stopped"] == [130, 130]
    (line,) = ran.lines("stopped")
    assert line.startswith("stopped at step ")
    assert line.endswith(f"go on with train(recipe, train_set, validation_set, run=Run('{run.path}'))")
    assert ran.ends["stopped-resumed"] == [0]
    assert losses(run) == pytest.approx(losses(ran.run("whole")), rel=1e-3)
    log = run.log_file.read_text()
    assert "computing on 2 processes" in log
    assert "computing on cpu with " in log


def test_what_one_says_the_others_do_not_repeat(ran: Ran) -> None:
    assert ran.ends["infinite"] == [1, 1]
    (line,) = ran.lines("infinite")
    assert line.startswith("the loss is ")
    assert (ran.run("infinite").path / "failure" / "failure.json").exists()
    assert ran.ends["different"] == [2, 2]
    assert ran.lines("different") == [
        "process 2 of 2: the recipe or the pictures here are not those of the first process"
    ]
    assert ran.ends["too-many"] == [2, 2]
    (line,) = ran.lines("too-many")
    assert line.startswith("batches of 3 pictures are too small for 2 processes")
    for refused in ("different", "too-many"):
        assert not ran.run(refused).path.exists()


def test_a_single_process_does_nothing_of_all_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (processes.announced(), processes.count(), processes.count_here()) == (1, 1, 1)
    assert processes.is_first()
    assert processes.speaks()
    assert processes.own("network") == "network"
    assert processes.part_of(7) == (slice(0, 7), True)
    assert processes.part_of(1) == (slice(0, 1), True)
    network, values = torch.nn.BatchNorm2d(2), [1, 2]
    assert processes.shared(network) is network
    assert processes.by_first(lambda: values) is values
    assert processes.by_each(lambda: values) is values
    assert processes.any_process(True, False) == (True, False)
    loss = torch.tensor(0.5)
    assert processes.summed(loss)[0] is loss
    assert processes.added_up(loss) is loss
    assert not torch.distributed.is_initialized()
    with processes.joined():
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(("num_images", "sizes"), [(16, [5, 5, 6]), (7, [2, 2, 3]), (5, [2, 3, 0]), (2, [2, 0, 0])])
def test_parts_make_up_a_batch(num_images: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for rank in range(3):
        monkeypatch.setattr(processes, "_together", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(processes.part_of(num_images))
    everything = np.arange(num_images)
    assert [len(everything[part.own]) * part.counts for part in parts] == sizes
    assert np.concatenate([everything[part.own] for part in parts if part.counts]).tolist() == everything.tolist()
    assert all(len(everything[part.own]) >= 2 for part in parts)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is set but RANK is not"),
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "x"}, "MASTER_PORT is not"),
        ({"WORLD_SIZE": "two", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "'two'"),
        ({"WORLD_SIZE": "2", "RANK": "-1", "LOCAL_RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "'-1'"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(
    values: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        processes.announced()


@pytest.mark.parametrize(("weights", "mean"), [((1.0, 1.0), 3.0), ((6, 2), 2.0), ((8, 0), 1.0)])
def test_statistics_count_by_their_weights(
    weights: tuple[float, float], mean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = torch.nn.BatchNorm2d(2)
    assert layer.running_mean is not None
    layer.running_mean.fill_(1.0)
    others = iter([weights[1], 5 * weights[1], weights[1]])  # of another process: weight, mean and variance
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: values.add_(next(others)))
    processes.average_statistics([layer], weights[0])
    assert layer.running_mean.tolist() == [mean, mean]
    assert layer.running_var is not None
    assert layer.running_var.tolist() == [1.0, 1.0]
