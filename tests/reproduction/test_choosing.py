"""The best of several trainings is found by validation pictures, whatever the test pictures say."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import run_command
from retinula.cli import main
from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.reproduction.choosing import choose
from retinula.runs.run import Run, create_run
from small_runs import SURROUNDINGS, epoch_row, whole_report


def trained(
    root: Path,
    name: str,
    *settings: str,
    values: tuple[float | None, ...],
    test: float | None = None,
    data: dict[str, Any] | None = None,
    loss: float | None = None,
    num_images: int | None = 144,
) -> Run:
    """A run that reached these validation accuracies; finished where it has a test accuracy."""
    told = {"num_validation_images": num_images, **(data or {})}
    run = create_run(load_recipe("digits", settings), {**SURROUNDINGS, "data": told}, name, root)
    for epoch, value in enumerate(values, start=1):
        reached = loss or (None if value is None else 1 - value)
        run.add_metrics(epoch_row(epoch, val_loss=reached, val_accuracy=value))
    if test is not None:
        report = whole_report(training={"val_accuracy": values[-1]}, evaluations={"digits/test": {"accuracy": test}})
        run.report_file.write_text(json.dumps(report))
    return run


def test_validation_decides_and_test_is_only_shown(tmp_path: Path) -> None:
    runs = [
        trained(tmp_path, "one", values=(0.5, 0.8), test=0.99),
        trained(tmp_path, "two", "lr=0.05", values=(0.7, 0.95), test=0.1),
        trained(tmp_path, "three", "lr=0.01", values=(0.6, 0.4)),
    ]
    choice = choose(runs)
    assert choice.metric == "val_accuracy"
    assert choice.best == (1,)
    assert choice.reason == "best by val_accuracy, by one seed each; the test pictures were not asked"
    one, two, three = choice.compared
    assert (one.settings, two.settings, three.settings) == ((), ("optimizer.lr=0.05",), ("optimizer.lr=0.01",))
    assert (one.value, two.value) == (0.8, 0.95)
    assert one.num_images == 144
    assert one.interval == pytest.approx((0.727, 0.857), abs=1e-3)
    assert (one.test_accuracy, two.test_accuracy, three.test_accuracy) == (0.99, 0.1, None)
    assert (one.finished, three.finished) == (True, False)
    assert three.value == (0.6 if runs[2].recipe().training.keep == "best" else 0.4)
    assert two.seconds == 4.0
    seeds = choose([runs[0], trained(tmp_path, "four", "seed=1", values=(0.7,), test=0.9)])
    assert seeds.compared[1].settings == ("seed=1",)
    assert "on validation pictures of their own each" in seeds.reason


def test_by_few_pictures_none_is_called_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, lr, correct in (("one", 0.1, 117), ("two", 0.2, 113), ("three", 0.3, 80)):
        trained(Path("runs"), name, f"lr={lr}", values=(correct / 144,))
    names = ("one", "two", "three")
    choice = choose([Run(Path("runs") / name) for name in names])
    assert (choice.best, choice.as_good) == ((), (0, 1))
    out = run_command(monkeypatch, capsys, "runs", "compare", *names)[0].splitlines()
    assert out[0].split()[:7] == ["run", "val_accuracy", "95", "%", "interval", "pictures", "epochs"]
    assert out[1].split()[:8] == ["one", "81.25", "%", "74.1", "to", "86.8", "%", "144"]
    told = "one and two cannot be told apart by 144 pictures"
    assert out[4] == f"best     none: {told} (by val_accuracy, by one seed each; the test pictures were not asked)"
    report = json.loads(run_command(monkeypatch, capsys, "runs", "compare", *names, "--json")[0])
    assert (report["best"], report["best_runs"], report["as_good"]) == (None, [], ["one", "two"])
    assert report["undecided"] == "cannot be told apart by 144 pictures"
    assert [each["num_validation_images"] for each in report["runs"]] == [144] * 3
    assert report["runs"][0]["val_accuracy_interval"] == pytest.approx([0.741, 0.868], abs=1e-3)
    more = trained(Path("runs"), "more", "lr=0.4", values=(0.82,), num_images=4000)
    assert choose([Run("runs/two"), more]).undecided == "cannot be told apart by 144 to 4,000 pictures"


def test_of_seeds_of_one_recipe_none_is_called_best(tmp_path: Path) -> None:
    low, high = (trained(tmp_path, str(seed), f"seed={seed}", values=(0.5 + seed / 5,)) for seed in (0, 1))
    choice = choose([low, high])
    assert (choice.best, choice.as_good) == ((), (0, 1))
    assert choice.undecided == "differ by their seed alone: 60.00 ± 14.14 % (n = 2)"
    other = trained(tmp_path, "other", "lr=0.05", values=(0.99,), num_images=10_000)
    choice = choose([low, high, other])
    assert (choice.best, choice.as_good) == ((), (0, 1, 2)), "seeds that differ so much tell nothing"
    assert choice.undecided == "cannot be told apart by 144 to 10,000 pictures and so few seeds"
    near = trained(tmp_path, "near", "seed=1", values=(0.51,), num_images=10_000)
    assert choose([low, near, other]).best == (2,)


def test_the_best_may_be_several_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        trained(Path("runs"), f"good-{seed}", f"seed={seed}", "lr=0.05", values=(0.9 + seed / 100,))
    trained(Path("runs"), "bad", values=(0.5,))
    names = ("bad", "good-0", "good-1")
    out = run_command(monkeypatch, capsys, "runs", "compare", *names)[0].splitlines()
    assert out[4] == (
        "best     good-0 and good-1 (best by val_accuracy, 90.50 ± 0.71 % (n = 2), on validation pictures of their own "
        "each; the test pictures were not asked)"
    )
    report = json.loads(run_command(monkeypatch, capsys, "runs", "compare", *names, "--json")[0])
    assert (report["best"], report["best_runs"], report["as_good"]) == (None, ["good-0", "good-1"], [])
    report = json.loads(run_command(monkeypatch, capsys, "runs", "compare", "bad", "good-0", "--json")[0])
    assert (report["best"], report["best_runs"], report["as_good"]) == ("good-0", ["good-0"], [])


def test_one_seed_twice_is_one_seed(tmp_path: Path) -> None:
    one, copy = (trained(tmp_path, name, values=(0.9,), test=0.9) for name in ("one", "copy"))
    choice = choose([one, copy])
    assert (choice.best, choice.as_good, choice.undecided) == ((), (0, 1), "are the same recipe and seed")
    seeds = [trained(tmp_path, f"seed-{seed}", f"seed={seed}", values=(0.9 + seed / 50,), test=0.9) for seed in (1, 2)]
    assert choose([one, copy, *seeds]).undecided == "differ by their seed alone: 92.00 ± 2.00 % (n = 3)"
    other = trained(tmp_path, "other", "lr=0.05", values=(0.5,), test=0.5)
    choice = choose([one, copy, other])
    assert choice.best == (0, 1)
    assert choice.reason == "best by val_accuracy, by one seed each; the test pictures were not asked"
    near = trained(tmp_path, "near", "lr=0.05", values=(0.88,), test=0.5)
    assert choose([one, copy, near]).undecided == "cannot be told apart by 144 pictures"


def test_only_what_has_come_equally_far_is_averaged(tmp_path: Path) -> None:
    done = trained(tmp_path, "done", values=(0.5, 0.95), test=0.9)
    begun = trained(tmp_path, "begun", "seed=1", values=(0.3,))
    choice = choose([done, begun])
    assert (choice.best, choice.compared[1].settings) == ((0,), ("seed=1",))
    also = trained(tmp_path, "also", "seed=2", values=(0.31,))
    choice = choose([done, begun, also])
    assert (choice.best, choice.undecided) == ((0,), "")
    assert choose([begun, also]).undecided == "differ by their seed alone: 30.50 ± 0.71 % (n = 2)"


def test_where_nobody_knows_how_many_pictures_chance_is_owned_to(tmp_path: Path) -> None:
    runs = [
        trained(tmp_path, str(lr), f"lr={lr}", values=(value,), num_images=None)
        for lr, value in ((0.1, 0.8), (0.2, 0.9), (0.3, 0.9))
    ]
    choice = choose(runs[:2])
    assert (choice.best, choice.compared[0].interval) == ((1,), None)
    assert (
        choice.reason == "best by val_accuracy, perhaps by chance, by one seed each; the test pictures were not asked"
    )
    assert choice.undecided == "perhaps by chance"
    assert choose(runs).as_good == (1, 2)
    assert choose(runs).undecided == "have the same val_accuracy"


def test_losses_are_told_from_the_chance_of_seeds(tmp_path: Path) -> None:
    settings = ("objective=mse", *RECONSTRUCTION)
    one, two = (trained(tmp_path, str(loss), *settings, f"lr={loss}", values=(0.0,), loss=loss) for loss in (0.5, 0.4))
    choice = choose([one, two])
    assert (choice.best, choice.compared[1].interval) == ((1,), None)
    assert choice.reason == "best by val_loss, perhaps by chance, by one seed each; the test pictures were not asked"
    again = trained(tmp_path, "again", *settings, "lr=0.4", "seed=1", values=(0.0,), loss=0.45)
    choice = choose([one, two, again])
    assert (choice.best, choice.undecided) == ((), "cannot be told apart by so few seeds")
    same = trained(tmp_path, "same", *settings, "lr=0.3", values=(0.0,), loss=0.4)
    assert choose([two, same]).undecided == "have the same val_loss"


def test_single_looks_stand_beside_averages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(Path("runs"), "one", values=(0.8,), test=0.93)
    averaged = trained(Path("runs"), "two", "tta=mirror", values=(0.8,), test=0.5)
    report = averaged.report()
    report["evaluations"]["digits/test/mirror"] = {"accuracy": 0.94, "plain_accuracy": 0.92}
    averaged.report_file.write_text(json.dumps(report))
    out = run_command(monkeypatch, capsys, "runs", "compare", "one", "two")[0].splitlines()
    assert out[0].endswith("test  by a single look  differs in")
    assert out[1].split()[-6:] == ["93.00", "%", "-", "compared", "with", "this"]
    assert out[2].split()[-5:] == ["94.00", "%", "92.00", "%", "evaluation.tta=mirror"]


def test_where_nothing_can_be_said_nothing_is(tmp_path: Path) -> None:
    one = trained(tmp_path, "one", values=(0.5,), test=0.9)
    assert choose([one, trained(tmp_path, "two", "validation=0", values=(None,), test=0.9)]).best == ()
    others = trained(tmp_path, "three", "classes=[1,2]", values=(0.9,), test=0.9)
    assert choose([one, others]).reason == "they learn different things: no best one among them"
    settings = ("objective=mse", "metric=val_loss", "model=cifar10-autoencoder")
    mixed = choose([one, trained(tmp_path, "four", *settings, values=(0.9,))])
    assert (mixed.metric, mixed.best) == ("val_loss", ())
    better = trained(tmp_path, "five", *settings, "lr=0.5", values=(0.95,))
    assert choose([mixed.compared[1].run, better]).best == (1,), "the lower loss"


RECONSTRUCTION = ("metric=val_loss", "model=cifar10-autoencoder")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((), ("data.name=shapes",)),
        (("data.name=cifar100",), ("data.name=cifar100", "labels=coarse")),
        (("objective=mse", *RECONSTRUCTION), ("objective=bce", *RECONSTRUCTION)),
    ],
)
def test_what_learns_something_else_is_not_the_better_for_it(
    tmp_path: Path, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    runs = [trained(tmp_path, "one", *one, values=(0.5,)), trained(tmp_path, "two", *other, values=(0.9,))]
    choice = choose(runs)
    assert (choice.best, choice.reason) == ((), "they learn different things: no best one among them")


def test_pictures_that_have_changed_between_two_trainings_are_owned_to(tmp_path: Path) -> None:
    before = {"num_images": 125, "fingerprint": "a", "validation_fingerprint": "b"}
    after = {"num_images": 124, "fingerprint": "c", "validation_fingerprint": "d"}
    one = trained(tmp_path, "one", values=(0.5,), data=before)
    two = trained(tmp_path, "two", values=(0.9,), data=after)
    choice = choose([one, two])
    assert [each.settings for each in choice.compared] == [(), ("other pictures (124, not 125)",)]
    assert choice.reason.startswith("best by val_accuracy, by one seed each, on validation pictures of their own each")
    relabelled = trained(tmp_path, "three", values=(0.9,), data=before | {"fingerprint": "e"})
    choice = choose([one, relabelled])
    assert choice.compared[1].settings == ("other pictures",)
    assert "of their own" not in choice.reason, "they were chosen by the same"
    seed = trained(tmp_path, "four", "seed=1", values=(0.9,), data=after)
    assert choose([one, seed]).compared[1].settings == ("seed=1",), "which draws others, as it says"
    set_apart_by_its_source = trained(tmp_path, "five", "seed=1", values=(0.9,), data=before)
    assert "of their own" not in choose([one, set_apart_by_its_source]).reason
    shrunk = trained(tmp_path, "six", "size=[6,6]", values=(0.9,), data=after)
    assert "of their own" not in choose([one, shrunk]).reason, "other pixels, and perhaps the same pictures"
    unknown = choose([one, trained(tmp_path, "seven", values=(0.9,))])
    assert (unknown.compared[1].settings, "of their own" in unknown.reason) == ((), False)


def test_a_training_at_its_beginning_is_not_said_to_lack_validation_pictures(tmp_path: Path) -> None:
    one = trained(tmp_path, "one", values=(0.5,))
    assert choose([one, trained(tmp_path, "two", values=())]).reason == "two has finished no epoch yet"
    without = trained(tmp_path, "three", "validation=0", values=(None,))
    assert choose([one, without]).reason == "three has no validation pictures to choose by"


def test_fewer_than_two_are_refused(tmp_path: Path) -> None:
    one = trained(tmp_path, "one", values=(0.5,))
    for runs in ([one], [one, Run(tmp_path / "x" / ".." / "one")]):
        with pytest.raises(InputError, match="at least two different runs"):
            choose(runs)


def test_the_command_prints_a_table_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(Path("runs"), "one", values=(0.5, 0.8), test=0.99)
    trained(Path("runs"), "two", "lr=0.05", values=(0.7, 0.95), test=0.1)
    monkeypatch.setattr(sys, "argv", ["retinula", "runs", "compare", "one", "two"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 0
    said = capsys.readouterr().out.splitlines()
    told = "one 80.00 % 72.7 to 85.7 % 144 2 4 99.00 % compared with this"
    assert said[1].split() == told.split()
    assert said[2].endswith("optimizer.lr=0.05")
    assert said[3].startswith("best     two (best by val_accuracy")
    assert Path(said[4].split()[1]).stat().st_size > 1000
