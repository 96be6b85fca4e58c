"""Reproductions of a small recipe that claims figures, and runs for them that are trained once."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from retinula import experiment, measurement
from retinula.errors import Interrupted
from retinula.recipe.files import load_recipe
from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Claim
from retinula.reproduction import reproduce as work
from retinula.reproduction.outcome import Reproduction
from retinula.reproduction.reproduce import reproduce
from retinula.runs.run import Run
from retinula.training import loop
from retinula.training.hardware import Hardware
from retinula.training.reporting import Reporter, StepProgress

CLAIMS = (
    Claim(metric="accuracy", value=0.5, tolerance=0.01, at_least=True, fault="made up"),
    Claim(metric="step_loss", value=0.1, tolerance=0.01, at=20),
    Claim(metric="photos_accuracy", value=0.5),
)


class Listens(Reporter):
    """Keeps what it is told; stops a training where asked."""

    def __init__(self, stop_at: int = 0) -> None:
        self.said: list[str] = []
        self.stop_at = stop_at

    def message(self, text: str) -> None:
        self.said.append(text)

    def step(self, progress: StepProgress) -> None:
        if progress.step == self.stop_at:
            raise Interrupted("stopped here")


def settle(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Work in this folder, on hardware that is not measured."""
    patch.chdir(folder)
    patch.delenv("RETINULA_DATA", raising=False)
    plain = Hardware("cpu", 1, False, "float32", "for the test")
    patch.setattr(loop, "choose_hardware", lambda *_, **__: plain)


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, which take longer than all the rest."""
    patch.setattr(experiment, "draw_training", lambda *_, **__: None)
    patch.setattr(measurement, "draw_evaluation", lambda *_, **__: None)
    patch.setattr(work, "draw_work", lambda *_, **__: None)


def recipe(*settings: str) -> Recipe:
    quick = ("epochs=2", "model.arguments.width=0.25", "snapshots=true", *settings)
    return load_recipe("digits", quick).model_copy(update={"claims": CLAIMS, "source": "a work | of ours"})


def small(*settings: str) -> Recipe:
    """The same under a name that is not shipped, measured by the photos in the folder `mine`."""
    return recipe("figures.photos=mine", *settings).model_copy(update={"name": "small"})


def run_it(
    seeds: int = 1, reporter: Reporter | None = None, photos: Path | None = None, of: Recipe | None = None
) -> Reproduction:
    return reproduce(
        of or recipe(), seeds, root=Path("runs"), folder=Path("out"), photos=photos, reporter=reporter or Reporter()
    )


def finished_runs(trained: Path, seeds: int = 1, of: Recipe | None = None) -> list[Run]:
    """Put into `runs` what `run_it` would leave there."""
    of = of or recipe()
    runs = [Run(Path("runs") / f"{of.name}-seed{number}") for number in range(seeds)]
    for number, run in enumerate(runs):
        shutil.copytree(trained / f"digits-seed{number}", run.path)
        run.recipe_file.write_text(of.changed(seed=number).to_toml())
    return runs


def photos_in(folder: Path, labels: dict[str, int]) -> Path:
    """Make a folder of grey photos with a table of their digits."""
    folder.mkdir(parents=True)
    for number, name in enumerate(labels):
        Image.new("L", (40, 30), 50 * number).save(folder / name)
    (folder / "labels.csv").write_text("file,label\n" + "".join(f"{name},{n}\n" for name, n in labels.items()))
    return folder
