"""A finished run whose classes have hostile names, its page, and a copy that a deep evaluation has looked at."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hostile_names import HOSTILE, PLAIN, QUOTED
from retinula import experiment
from retinula.datasets.reading import SplitName
from retinula.evaluation.duplicates import NearDuplicate
from retinula.evaluation.embedding import map_embedding
from retinula.evaluation.findings import Inspection
from retinula.evaluation.label_errors import LabelError, LabelErrors
from retinula.evaluation.robustness import Robustness
from retinula.evaluation.run_data import OwnPictures
from retinula.images import ImageSet
from retinula.report import contents as gathering
from retinula.report.contents import Contents
from retinula.report.page import write_report
from retinula.runs.run import Run, find_run


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A finished run on pictures whose classes have hostile names, its pictures at hand."""
    root = tmp_path_factory.mktemp("work") / "runs"
    generator = np.random.default_rng(0)
    labels = np.arange(90, dtype=np.int64) % 3
    images = (generator.integers(0, 60, (90, 1, 8, 8)) + (labels * 60)[:, None, None, None]).astype(np.uint8)
    classes = (HOSTILE, QUOTED, PLAIN)
    train_set = ImageSet(images[:60], labels[:60], classes, "made/train")
    wrong = labels[60:].copy()
    wrong[:5] = (wrong[:5] + 1) % 3  # what the network gets right is then a mistake
    test_set = ImageSet(np.concatenate([images[60:], images[:1]]), np.append(wrong, labels[0]), classes, "made/test")
    quick = ["epochs=6", "model.arguments.width=0.25", "batch_size=30", "augment.crop_padding=1", "precision=float32"]
    experiment.train("digits", train_set, test_set, "mine", settings=quick, root=root)
    sets: dict[SplitName, ImageSet] = {"train": train_set, "test": test_set}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "find_own", lambda run, progress=None: OwnPictures("made", sets, {}))
        yield find_run(root / "mine")


@pytest.fixture(scope="module")
def written(at_hand: Run) -> tuple[str, Contents]:
    """The page of the run, and what it shows."""
    before = {path.name for path in at_hand.path.iterdir()}
    file, contents = write_report(at_hand, at_hand.path.parent / "new" / "page.html")
    assert {path.name for path in at_hand.path.iterdir()} == before
    return file.read_text(encoding="utf-8"), contents


@pytest.fixture
def inspected(at_hand: Run, written: tuple[str, Contents], tmp_path: Path) -> Run:
    """A copy of the run that a deep evaluation has looked at."""
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    about = {"dataset": "made/test", "split": "test"}
    copy.inspection_file.write_text(json.dumps(about | inspection_of(written[1])))
    return copy


def inspection_of(contents: Contents) -> dict[str, Any]:
    """What a deep evaluation of the run could have found; the pictures are those of the test set."""
    assert contents.answers is not None
    assert contents.duplicates is not None
    pairs = [NearDuplicate(30, 0, True, 1.0, (0, 0)), NearDuplicate(2, 7, False, 0.97, (1, 0))]
    return Inspection(
        robustness=Robustness(31, 31, 0.9, {"fog": (0.5, 0.4, 0.3, 0.2, 0.1), "of another version": (0.9,) * 5}),
        label_errors=LabelErrors(31, "held out", (LabelError(3, None, HOSTILE, PLAIN, 0.01, 0.98),)),
        duplicates={"between made/test and made/train": tuple(pairs), "within made/test": ()},
        embedding=map_embedding(np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32), np.arange(11, 31)),
    ).to_dict()
