"""A closer look at a finished run: all of it at once on a tiny one, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retinula import experiment, run_data
from retinula.datasets.reading import Dataset
from retinula.errors import InputError
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.label_errors import LabelError, LabelErrors
from retinula.experiment import train
from retinula.images import ImageSet
from retinula.inspection import Inspection, inspect_run, read_inspection
from retinula.recipe_files import load_recipe
from retinula.run import find_run
from retinula.training import loop
from retinula.training.hardware import Hardware

MakeSet = Callable[..., ImageSet]


@pytest.fixture
def _trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_set: MakeSet) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "choose_hardware", lambda *_, **__: Hardware("cpu", 1, False, "float32", "for the test"))
    full, test = make_set(90), make_set(30, seed=7)
    images = test.images.copy()
    images[5] = full.images[8]  # one of the training pictures
    splits = {"train": full, "test": replace(test, images=images, name="made/test")}
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", dict(splits), ()))  # type: ignore[arg-type]  # names of splits
    monkeypatch.setattr(experiment, "draw_training", lambda *_, **__: None)  # which takes longer than such a training
    train(load_recipe("digits", ["epochs=1", "model.arguments.width=0.25", "batch_size=32", "validation=0"]))


@pytest.mark.usefixtures("_trained")
def test_all_of_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = find_run("last")
    found = inspect_run(
        run, folder=tmp_path / "out", corruptions=True, labels=True, duplicates=True, embedding=True, num_images=10
    )
    assert found.robustness is not None
    assert found.robustness.num_images == 10
    assert found.embedding is not None
    assert found.embedding.points.shape == (30, 2)
    assert found.duplicates is not None
    (between,) = (pairs for name, pairs in found.duplicates.items() if name.startswith("between"))
    assert (between[0].index, between[0].other, between[0].exact) == (5, 8, True)
    written = json.loads((tmp_path / "out" / "inspection.json").read_text())
    assert set(written) == {"test"}
    assert {"robustness", "label_errors", "near_duplicates", "embedding"} < set(written["test"])
    for name in ("robustness", "embedding", "duplicates-in-train"):
        assert (tmp_path / "out" / "figures" / f"test-{name}.png").stat().st_size > 1000
    assert any(
        line.startswith("Spoilt pictures (15 corruptions, 5 strengths, 10 drawn from 30; single looks)")
        for line in found.lines()
    )
    loads: list[str] = []
    load = vars(run_data)["load"]

    def watched(name: str, **options: Any) -> Dataset:
        loads.append(name)
        loaded: Dataset = load(name, **options)
        return loaded

    with monkeypatch.context() as patched:
        patched.setattr(run_data, "load", watched)
        assert inspect_run(run, folder=tmp_path / "again", duplicates=True).duplicates == found.duplicates
    assert len(loads) == 1
    assert inspect_run(run).to_dict() == {}
    # One look does not forget another on the same pictures, and what is read back is what was written.
    inspect_run(run, folder=tmp_path / "out", embedding=True)
    assert json.loads((tmp_path / "out" / "inspection.json").read_text()) == written
    again = read_inspection(tmp_path / "out" / "inspection.json", "test")
    assert again is not None
    assert (again.dataset, again.split) == ("made/test", "test")
    read = json.loads(json.dumps(again.found.to_dict()))
    assert read == {key: written["test"][key] for key in read}
    inspect_run(run, folder=tmp_path / "out", split="train", embedding=True)
    both = json.loads((tmp_path / "out" / "inspection.json").read_text())
    assert both["test"] == written["test"], "a look at another split forgets nothing"
    assert set(both["train"]) == {"dataset", "split", "fingerprint", "embedding"}
    # Earlier versions wrote what they found among one split alone.
    (tmp_path / "out" / "inspection.json").write_text(json.dumps(written["test"]))
    inspect_run(run, folder=tmp_path / "out", split="train", embedding=True)
    assert json.loads((tmp_path / "out" / "inspection.json").read_text()) == both
    seen = inspect_run(run, split="train", labels=True).label_errors
    assert seen is not None
    assert seen.method.startswith("5-fold linear head")
    with pytest.raises(InputError, match="no validation pictures"):
        inspect_run(run, split="validation", labels=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"test": 3}',
        "[" * 100_000,
        '{"dataset": "a", "split": "test", "robustness": {"accuracy": {}}}',
        '{"dataset": "a", "split": "test", "robustness": []}',
        '{"dataset": "a", "split": "test", "label_errors": {"num_images": 3, "method": "", "errors": [{}]}}',
        '{"dataset": "a", "split": "test", "near_duplicates": {"within a": [{"index": -1}]}}',
        '{"dataset": "a", "split": "test", "near_duplicates": []}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [1], "points": [[NaN, 0]]}}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [-1], "points": [[0, 0]]}}',
        '{"dataset": "a", "split": "test", "embedding": {"method": "", "indices": [1e400], "points": [[0, 0]]}}',
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "inspection.json").write_text(content)
    with pytest.raises(
        InputError, match=r"inspection\.json is not whole; look again with: retinula evaluate"
    ) as caught:
        read_inspection(tmp_path / "inspection.json", "test")
    assert "\n" not in str(caught.value)


def test_nobody_has_looked_or_may_not(tmp_path: Path) -> None:
    assert read_inspection(tmp_path / "inspection.json", "test") is None
    (tmp_path / "inspection.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_inspection(tmp_path / "inspection.json", "test")


@pytest.mark.usefixtures("_trained")
def test_other_pictures_are_compared_with_the_training_pictures_too(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = find_run("last")
    own_file = run.inspection_file
    inspect_run(run)
    before = own_file.read_bytes()
    loaded, others = vars(run_data)["load"], replace(make_set(90).take(np.arange(20, 40)), name="photos/test")
    given = Dataset("photos", {"test": others})
    monkeypatch.setattr(run_data, "load", lambda name, **rest: given if name == "photos" else loaded(name, **rest))
    found = inspect_run(run, data="photos", duplicates=True)
    assert found.duplicates is not None
    pairs = found.duplicates["between photos/test and made/train"]
    assert sum(pair.exact for pair in pairs) == 20
    assert (run.other_folder("photos") / "inspection.json").exists()
    assert own_file.read_bytes() == before
    monkeypatch.setattr(run_data, "load", lambda *_, **__: given)
    with pytest.raises(InputError, match=r"among the training pictures too, but .*; leave --duplicates out"):
        inspect_run(run, data="photos", duplicates=True)


@pytest.mark.usefixtures("_trained")
def test_its_own_training_pictures_are_known_under_another_name_too() -> None:
    run = find_run("last")
    found = inspect_run(run, data="digits", split="train", labels=True, duplicates=True)
    assert found.label_errors is not None
    assert found.label_errors.method.startswith("5-fold linear head"), "not held out: it has learned them by heart"
    assert found.duplicates is not None
    assert list(found.duplicates) == ["within made/train"], "not compared with themselves"
    assert experiment.evaluate_run(run, data="digits", split="train").learned_from
    assert not experiment.evaluate_run(run, data="digits").learned_from


def test_how_many_pictures_have_a_near_duplicate_is_said() -> None:
    pairs = tuple(NearDuplicate(one, two, True, 1.0, (0, 0)) for one in range(5) for two in range(one + 1, 5))
    lines = Inspection(duplicates={"within a": pairs, "between a and b": pairs[:4]}).lines()
    assert lines == [
        "Near-duplicates within a: of 5 pictures; 10 pairs, 10 equal in every pixel.",
        "  picture 0 and picture 1: equal",
        "  picture 0 and picture 2: equal",
        "  picture 0 and picture 3: equal",
        "Near-duplicates between a and b: of 1 picture; 4 pairs, 4 equal in every pixel.",
        "  picture 0 and picture 1: equal",
        "  picture 0 and picture 2: equal",
        "  picture 0 and picture 3: equal",
    ]


def test_what_is_to_be_corrected_is_named_by_its_file() -> None:
    errors = tuple(LabelError(n, f"cats/{n}.png", "cat", "dog", 0.02, 0.97) for n in range(1000, 1004))
    pair = NearDuplicate(1, 7, False, 0.9712, (0, 1), "cats/1.png", "dogs/7.png")
    found = Inspection(label_errors=LabelErrors(2000, "held out", errors), duplicates={"between a and b": (pair,)})
    assert found.lines() == [
        "Labels likely wrong: 4 of 2,000 (held out).",
        "  picture 1,000 (cats/1000.png): called cat, likely dog (97.0 %)",
        "  picture 1,001 (cats/1001.png): called cat, likely dog (97.0 %)",
        "  picture 1,002 (cats/1002.png): called cat, likely dog (97.0 %)",
        "Near-duplicates between a and b: of 1 picture; 1 pair, 0 equal in every pixel.",
        "  picture 1 (cats/1.png) and picture 7 (dogs/7.png): agree by 0.971",
    ]
    written = json.loads(json.dumps(found.to_dict()))
    assert written["near_duplicates"]["between a and b"][0]["other_source"] == "dogs/7.png"
    assert Inspection.from_dict(written).lines() == found.lines()
    for each in written["near_duplicates"]["between a and b"]:
        del each["source"], each["other_source"]  # as earlier versions wrote it
    assert Inspection.from_dict(written).duplicates == {
        "between a and b": (replace(pair, source=None, other_source=None),)
    }


@pytest.mark.usefixtures("_trained")
def test_where_only_the_training_pictures_have_changed_the_others_are_looked_at(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, loaded = find_run("last"), vars(run_data)["load"]
    splits = dict(loaded().splits)
    splits["train"] = splits["train"].take(np.arange(1, 90))
    monkeypatch.setattr(run_data, "load", lambda *_, **__: Dataset("made", splits))
    assert inspect_run(run, embedding=True).embedding is not None
    with pytest.raises(InputError, match=r"the training pictures have changed since it began; leave --duplicates out"):
        inspect_run(run, duplicates=True)
    with pytest.raises(InputError, match=r"the training pictures have changed since it began; measure on pictures"):
        inspect_run(run, split="train", embedding=True)
    splits["test"] = splits["test"].take(np.arange(1, 30))
    with pytest.raises(InputError, match=r"changed since it began, and the test pictures, too; measure on pictures"):
        inspect_run(run, embedding=True)
