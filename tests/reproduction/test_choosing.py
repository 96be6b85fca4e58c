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
) -> Run:
    """A run that reached these validation accuracies; finished where it has a test accuracy."""
    run = create_run(load_recipe("digits", settings), {**SURROUNDINGS, "data": data or {}}, name, root)
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
        trained(tmp_path, "two", "lr=0.05", values=(0.7, 0.9), test=0.1),
        trained(tmp_path, "three", "lr=0.01", values=(0.6, 0.4)),
    ]
    choice = choose(runs)
    assert choice.metric == "val_accuracy"
    assert choice.best == 1
    assert choice.reason == "best by val_accuracy; the test pictures were not asked"
    one, two, three = choice.compared
    assert (one.settings, two.settings, three.settings) == ((), ("optimizer.lr=0.05",), ("optimizer.lr=0.01",))
    assert (one.value, two.value) == (0.8, 0.9)
    assert (one.test_accuracy, two.test_accuracy, three.test_accuracy) == (0.99, 0.1, None)
    assert (one.finished, three.finished) == (True, False)
    assert three.value == (0.6 if runs[2].recipe().training.keep == "best" else 0.4)
    assert two.seconds == 4.0
    seeds = choose([runs[0], trained(tmp_path, "four", "seed=1", values=(0.7,), test=0.9)])
    assert seeds.compared[1].settings == ("seed=1",)
    assert "on validation pictures of their own each" in seeds.reason


def test_where_nothing_can_be_said_nothing_is(tmp_path: Path) -> None:
    one = trained(tmp_path, "one", values=(0.5,), test=0.9)
    assert choose([one, trained(tmp_path, "two", "validation=0", values=(None,), test=0.9)]).best is None
    others = trained(tmp_path, "three", "classes=[1,2]", values=(0.9,), test=0.9)
    assert choose([one, others]).reason == "they learn different things: no best one among them"
    settings = ("objective=mse", "metric=val_loss", "model=cifar10-autoencoder")
    mixed = choose([one, trained(tmp_path, "four", *settings, values=(0.9,))])
    assert (mixed.metric, mixed.best) == ("val_loss", None)
    better = trained(tmp_path, "five", *settings, "lr=0.5", values=(0.95,))
    assert choose([mixed.compared[1].run, better]).best == 1, "the lower loss"


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
    assert (choice.best, choice.reason) == (None, "they learn different things: no best one among them")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_of_equal_accuracies_the_lower_loss_is_the_better(tmp_path: Path, order: tuple[int, ...]) -> None:
    reached = ((0.9, 0.3), (0.9, 0.05), (0.8, 0.01))
    runs = [trained(tmp_path, str(loss), values=(value,), loss=loss) for value, loss in reached]
    choice = choose([runs[place] for place in order])
    assert choice.best == order.index(1)
    assert choice.reason == "best by val_loss, of those with the same val_accuracy; the test pictures were not asked"
    assert (choice.by_loss, choice.as_good) == (True, ())
    assert not choose([runs[1], runs[2]]).by_loss


def test_of_equal_ones_none_is_called_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("one", 0.9), ("two", 0.5), ("three", 0.9)):
        trained(Path("runs"), name, values=(value,), loss=0.2)
    out, _ = run_command(monkeypatch, capsys, "runs", "compare", "one", "two", "three")
    assert out.splitlines()[4] == (
        "best     none: one and three are as good as each other (the same val_accuracy and val_loss; "
        "the test pictures were not asked)"
    )
    report = json.loads(run_command(monkeypatch, capsys, "runs", "compare", "one", "two", "three", "--json")[0])
    assert (report["best"], report["as_good"]) == (None, ["one", "three"])


def test_pictures_that_have_changed_between_two_trainings_are_owned_to(tmp_path: Path) -> None:
    before = {"num_images": 125, "fingerprint": "a", "validation_fingerprint": "b"}
    after = {"num_images": 124, "fingerprint": "c", "validation_fingerprint": "d"}
    one = trained(tmp_path, "one", values=(0.5,), data=before)
    two = trained(tmp_path, "two", values=(0.9,), data=after)
    choice = choose([one, two])
    assert [each.settings for each in choice.compared] == [(), ("other pictures (124, not 125)",)]
    assert choice.reason.startswith("best by val_accuracy, on validation pictures of their own each")
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
    trained(Path("runs"), "two", "lr=0.05", values=(0.7, 0.9), test=0.1)
    monkeypatch.setattr(sys, "argv", ["retinula", "runs", "compare", "one", "two"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split()[:8] == ["one", "80.00", "%", "2", "4", "99.00", "%", "compared"]
    assert said[2].endswith("optimizer.lr=0.05")
    assert said[3].startswith("best     two (best by val_accuracy")
    assert Path(said[4].split()[1]).stat().st_size > 1000
