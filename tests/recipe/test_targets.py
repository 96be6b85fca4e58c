import re
import subprocess
import sys
from pathlib import Path

import pytest

from retinula.datasets.load import load
from retinula.errors import InputError
from retinula.recipe.files import load_recipe
from retinula.recipe.targets import anchored, find_recipe

AS_ARRAYS = 'write its arrays by np.savez_compressed("mine.npz", images=..., labels=...)'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_recipe_is_found_for_whatever_can_be_trained_on(tmp_path: Path) -> None:
    assert find_recipe("digits", ["seed=4"]) == load_recipe("digits", ["seed=4"])
    shapes = find_recipe("shapes", ["lr=0.5"])
    assert (shapes.name, shapes.data.name, shapes.optimizer.lr) == ("shapes", "shapes", 0.5)
    for folder, name in (
        ("my photos", "my-photos"),
        ("m²", "m"),
        ("写真", "写真"),
        ("x" * 200, "x" * 80),
        ("...", "run"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        found = find_recipe(folder)
        assert (found.name, found.data.name) == (name, str((tmp_path / folder).resolve()))
    (tmp_path / "mine.toml").write_text("seed = 3\n")
    assert find_recipe("mine.toml").seed == 3
    with pytest.raises(InputError, match="no setting 'colour'"):
        find_recipe("shapes", ["colour=3"])


def test_a_folder_whose_name_is_no_text_is_refused() -> None:
    folder = Path("caf\udce9")
    folder.mkdir()
    with pytest.raises(InputError, match="the name of a file or folder is not UTF-8; rename it"):
        find_recipe(str(folder))


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("cifar1O", "did you mean 'cifar10'"),
        ("CIFAR-10", "did you mean 'cifar10'"),
        ("Mnist", "did you mean 'mnist'"),
        ("cifar10-fats", "did you mean 'cifar10-fast'"),
        ("Meine Foto", "did you mean 'Meine Fotos'"),
        ("xyzzy", "to see the known names: retinula recipes, retinula data list"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_right_one(word: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "Meine Fotos").mkdir()
    with pytest.raises(InputError) as refused:
        find_recipe(word)
    assert str(refused.value).startswith(f"there is no recipe, data set or folder called {word!r}; {hint}")


@pytest.mark.parametrize(
    ("word", "rest"),
    [
        ("sets/flowres", "; did you mean 'sets/flowers'?"),
        ("sets/flowres/", "; did you mean 'sets/flowers'?"),
        ("nowhere/flowers", ""),
        ("missing.zip", ""),
        ("missing.npz", ""),
        ("missing.csv", ""),
        ("./missing", ""),
        ("flowers.PQT", "; did you mean 'flowers.pkl'?"),
        ("missing.7z", "; files of this kind are not read: unpack it and give the folder"),
        *((f"missing.{kind}", f"; files of this kind are not read: {AS_ARRAYS}") for kind in ("h5", "PKL", "parquet")),
    ],
)
def test_a_file_or_folder_that_is_not_there_is_told_as_one(word: str, rest: str, tmp_path: Path) -> None:
    (tmp_path / "sets" / "flowers").mkdir(parents=True)
    (tmp_path / "flowers.pkl").touch()
    with pytest.raises(InputError) as refused:
        find_recipe(word)
    assert str(refused.value) == f"there is no file or folder {word!r}{rest}"
    with pytest.raises(InputError) as refused:
        load(word)
    assert str(refused.value) == f"there is no file or folder {word!r}{'' if 'mean' in rest else rest}"


def test_what_is_said_of_a_missing_file_is_said_of_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "there.h5").touch()
    with pytest.raises(InputError, match=rf"npz file; {re.escape(AS_ARRAYS)}$"):
        load("there.h5")


def test_a_relative_path_is_written_in_full_and_a_name_stays(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    found = anchored(load_recipe("digits", ["data=photos", "data.more=['photos', 'mnist']"]))
    assert (found.data.name, found.data.more) == (str(tmp_path / "photos"), (str(tmp_path / "photos"), "mnist"))
    plain = load_recipe("digits")
    assert (anchored(plain).data.name, anchored(plain).digest()) == ("digits", plain.digest())
    assert anchored(load_recipe("digits", ["root=photos"])).data.root == str(tmp_path / "photos")


@pytest.mark.parametrize(
    "words", [("train", "cifar1O"), ("train", "epoch=3"), ("tune", "cifar1O", "lr=0.1..1"), ("tune", "epoch=3..9")]
)
def test_a_wrong_word_is_refused_before_torch_is_loaded(words: tuple[str, ...]) -> None:
    code = (
        "import sys; from retinula.cli import main; sys.argv[0] = 'retinula'\n"
        "try: main.main()\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "False\n"), done.stderr
    assert "did you mean" in done.stderr
