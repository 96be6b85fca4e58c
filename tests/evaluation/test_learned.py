"""What a model has learned along all trainings that led to it: kept with a run, taken over, told."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retinula.errors import InputError
from retinula.evaluation.learned import LearnedPictures, Learning, begin_learning, learned_by
from retinula.files.tensor_file import save_tensors
from retinula.images import ImageSet
from retinula.pictures.equal import digests_of
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.runs.run import Run, create_run
from retinula.trained.model_file import Model
from retinula.transfer import Source
from retinula.transforms.preprocess import Preprocess

MakeSet = Callable[..., ImageSet]


def learned(*sets: ImageSet) -> LearnedPictures:
    whole = LearnedPictures({})
    for each in sets:
        form, values = digests_of(each.images)
        whole = whole.also(LearnedPictures({form: values}))
    return whole


def begun(root: Path, name: str, pictures: LearnedPictures | None, *settings: str) -> Run:
    run = create_run(load_recipe("digits", settings), {}, name, root)
    run.model_file.touch()
    if pictures is not None:
        pictures.write(run)
    return run


def following(file: Path, *settings: str) -> Recipe:
    return load_recipe("digits", [f"weights='{file}'", *settings])


def source(**provenance: Any) -> Source:
    form = Preprocess(1, (8, 8), (0.5,), (0.5,))
    return Source(Model(torch.nn.Identity(), "residual", {}, ("a", "b"), form, provenance=provenance), "m", "0" * 64)


def test_what_is_written_is_read_and_what_is_missing_tells_nothing(tmp_path: Path, make_set: MakeSet) -> None:
    small, large = make_set(20), make_set(9, size=9, channels=3)
    whole = learned(small, large, small)
    assert {form: len(values) for form, values in whole.by_form.items()} == {"1x8x8": 20, "3x9x9": 9}
    run = begun(tmp_path, "run", LearnedPictures(whole.by_form, ("theirs",)))
    assert run.learned_file.stat().st_size < 29 * 8 + 500
    read = LearnedPictures.read(run)
    assert read is not None
    assert read.untold == ("theirs",)
    asked = np.concatenate([small.images[3:5], make_set(4, seed=1).images])
    assert read.has(digests_of(asked)).tolist() == [True] * 2 + [False] * 4
    assert read.has(digests_of(large.images)).all()
    assert not read.has(digests_of(make_set(5, size=10).images)).any(), "of another form none is equal"
    run.learned_file.unlink()
    assert LearnedPictures.read(run) is None


def of_something_else(file: Path) -> None:
    save_tensors(file, {"1x8x8": torch.arange(3)}, {"else": []})


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda file: file.write_bytes(b"torn"), r": not a safetensors file, or cut short \(.*\)"),
        (of_something_else, " is damaged"),
        (folder, ": not an ordinary file"),
    ],
    ids=["torn", "of something else", "a folder"],
)
def test_what_cannot_be_read_is_told_and_counts_as_unknown(
    spoil: Callable[[Path], None], why: str, tmp_path: Path, make_set: MakeSet
) -> None:
    old, new = make_set(20), make_set(20, seed=1)
    run = begun(tmp_path, "theirs", learned(old))
    spoil(run.learned_file)
    with pytest.raises(InputError, match=f"^{re.escape(str(run.learned_file))}{why}$") as caught:
        LearnedPictures.read(run)
    damage = f"{caught.value}: which pictures theirs has learned cannot be told"
    learning = begin_learning(following(run.model_file), source(fingerprint="other"), new)
    assert learning.whole.untold == ("theirs",)
    assert learning.told(digests_of(old.images), None) == [f"{damage}: validation and test pictures may be among them"]
    alike = begin_learning(following(run.model_file), source(fingerprint=new.fingerprint()), new)
    assert alike.told(digests_of(old.images), None) == [], "the model file tells"
    said: list[str] = []
    assert learned_by(run, None, said.append) is None
    kept = learned_by(run, new, said.append)
    assert kept is not None
    assert kept.of(digests_of(new.images)).from_these
    assert said == [damage, f"{caught.value}: the pictures to train on tell what theirs has learned"]


@pytest.mark.parametrize("method", ["exists", "open"])
def test_what_may_not_be_read_is_not_called_damaged(
    method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_set: MakeSet
) -> None:
    run = begun(tmp_path, "theirs", learned(make_set(20)))

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, method, refused)
    with pytest.raises(InputError, match=r"learned\.safetensors: cannot be read \(Permission denied\)$"):
        LearnedPictures.read(run)


def test_of_a_run_that_began_from_another_training_pictures_do_not_tell_all(tmp_path: Path, make_set: MakeSet) -> None:
    new, said = make_set(20), list[str]()
    run = begun(tmp_path, "later", None, "weights='theirs'")
    run.learned_file.write_bytes(b"torn")
    kept = learned_by(run, new, said.append)
    assert kept is not None
    assert kept.of(digests_of(make_set(20, seed=1).images)).number is None
    (line,) = said
    assert line.startswith(f"{run.learned_file}: not a safetensors file, or cut short (")
    assert line.endswith("): of the pictures that later has learned only those to train on can be told")


def test_it_is_told_how_many_of_each_split_were_learned_here_and_before(tmp_path: Path, make_set: MakeSet) -> None:
    old, new, others = make_set(20), make_set(20, seed=1), make_set(20, seed=2)
    run = begun(tmp_path, "theirs", learned(old))
    learning = begin_learning(following(run.model_file), None, new)

    def told(validation: list[ImageSet], test: list[ImageSet]) -> list[str]:
        pictures = [digests_of(np.concatenate([each.images for each in split])) for split in (validation, test)]
        return learning.told(*pictures)

    assert told([old.take(range(3)), others], [others.take(range(5)), new.take([7])]) == [
        "3 of the 23 validation pictures are equal, pixel by pixel, to pictures that theirs, which it begins from, "
        "has learned: what is chosen by them will flatter",
        "1 of the 6 test pictures is equal, pixel by pixel, to pictures to train on: an accuracy on them will flatter",
    ]
    (line,) = told([others], [old, new, others])
    assert line.startswith(
        "40 of the 60 test pictures are equal, pixel by pixel, to pictures to train on or pictures that theirs, which"
    )
    assert learning.told(None, None) == []
    assert learning.whole.has(digests_of(np.concatenate([old.images, new.images]))).all()
    plain = begin_learning(load_recipe("digits"), None, new)
    assert plain.told(digests_of(old.images), digests_of(others.images)) == []
    assert plain.whole.untold == ()


def test_other_validation_pictures_of_the_same_data_are_due_to_the_seed(tmp_path: Path, make_set: MakeSet) -> None:
    old, new = make_set(20), make_set(20, seed=1)
    run = begun(tmp_path, "theirs", learned(old), "seed=7")

    def line(*settings: str) -> str:
        learning = begin_learning(following(run.model_file, *settings), None, new)
        (told,) = learning.told(digests_of(old.images), None)
        return told

    assert line().endswith("will flatter; with seed=7 they are those that theirs was chosen by")
    for settings in (("seed=7",), ("data.validation=0.2",)):
        assert line(*settings).endswith("will flatter")


def test_a_model_that_tells_nothing_is_named_once_all_along_the_way(tmp_path: Path, make_set: MakeSet) -> None:
    new, digests = make_set(20), digests_of(make_set(5, seed=1).images)
    earlier = begun(tmp_path, "earlier", None)
    alone = tmp_path / "alone.safetensors"
    line = "which pictures {} has learned is kept nowhere: validation and test pictures may be among them"
    for file, name in ((earlier.model_file, "earlier"), (alone, "alone.safetensors")):
        learning = begin_learning(following(file), source(fingerprint="other"), new)
        assert learning.told(digests, digests) == [line.format(name)]
        between = begun(tmp_path, f"after {name}".replace(" ", "-"), learning.whole)
        assert begin_learning(following(between.model_file), source(), new).told(None, digests) == [line.format(name)]


def test_a_model_file_tells_whether_it_learned_the_same_pictures(tmp_path: Path, make_set: MakeSet) -> None:
    new, digests = make_set(20), digests_of(make_set(5, seed=1).images)

    def begin(**provenance: Any) -> Learning:
        alone = following(tmp_path / "alone.safetensors")
        return begin_learning(alone, source(fingerprint=new.fingerprint(), **provenance), new)

    assert begin().told(digests, digests) == []
    assert begin().whole.untold == ()
    assert begin(source={"name": "theirs"}).whole.untold == ("alone.safetensors",), "it did not begin with these"


def test_pictures_of_another_form_cannot_be_compared(tmp_path: Path, make_set: MakeSet) -> None:
    run = begun(tmp_path, "theirs", learned(make_set(20, size=16)))
    learning = begin_learning(following(run.model_file), None, make_set(20))
    assert learning.told(None, digests_of(make_set(5).images[:0])) == []
    assert learning.told(None, digests_of(make_set(5, seed=1).images)) == [
        "theirs has learned pictures of 1x16x16, which cannot be compared with those of 1x8x8: validation and test "
        "pictures may be among them"
    ]


@pytest.mark.parametrize("number", [0, 1, 300])
def test_digests_stand_for_pixels(number: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (number, 3, 4, 5), dtype=np.uint8)
    form, values = digests_of(images)
    assert (form, len(set(values.tolist()))) == ("3x4x5", number)
    assert np.array_equal(digests_of(images[::-1]).values, values[::-1])
    changed = images.copy()
    changed[:, 2, 3, 4] ^= 1
    assert not np.isin(digests_of(changed).values, values).any()
