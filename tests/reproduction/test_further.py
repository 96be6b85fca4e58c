import json
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.reproduction.floor import floor_words
from retinula.reproduction.further import check_better, goes_further
from retinula.reproduction.results import earlier_recipes, gather, results_list, results_page
from retinula.runs.run import Run, create_run
from small_reproductions import run_it, small
from small_runs import whole_report

MACHINE = {"accelerator": None, "processor": "one", "cores": 1, "bfloat16_units": "none"}
MEASURED_ELSEWHERE = {"data": {}, "machine": MACHINE, "versions": {}, "python": "3"}


def made_up(recipe: Recipe, accuracy: float, **values: Any) -> Run:
    """A finished run that says this of its test pictures."""
    run = create_run(recipe, MEASURED_ELSEWHERE, root=Path("runs"))
    report = whole_report(
        data={"name": "cifar10/train"}, evaluations={"cifar10/test": {"accuracy": accuracy}}, **values
    )
    report["evaluations"][f"cifar10/test/{recipe.evaluation.tta}"] = {"accuracy": accuracy}
    run.report_file.write_text(json.dumps(report))
    return run


def photos(folder: str, accuracy: float) -> dict[str, Any]:
    return {"folder": folder, "accuracy": accuracy, "correct": 1, "total": 59}


def test_better_recipes_are_shipped_and_claim_something() -> None:
    works = {name: recipe for name in shipped() if (recipe := load_recipe(name)).better}
    assert len(works) == 5
    for recipe in works.values():
        check_better(recipe)
        assert load_recipe(recipe.better).claims
        assert recipe.changed(better="").digest() == recipe.digest()


def test_a_better_recipe_that_there_is_not_is_refused_before_training() -> None:
    wrong = small().model_copy(update={"better": "cifr10-fast"})
    with pytest.raises(
        InputError, match=r"^recipe small: better: no shipped recipe 'cifr10-fast'; did you mean 'cifar10-fast'\?$"
    ):
        run_it(of=wrong)
    assert not Path("runs").exists()


def test_what_goes_further_is_shown_beside_the_work() -> None:
    work = load_recipe("cifar10-cnn")
    own = [made_up(work, 0.74)]
    further = goes_further(work, own, gather([Path("runs")]))
    assert further is not None
    assert further.words.endswith("there is no run of it here: measure it with `retinula reproduce cifar10-fast`")
    known = "photos-cifar10-classes"
    for seed, accuracy in enumerate((0.93, 0.95)):
        made_up(load_recipe("cifar10-fast", [f"seed={seed}"]), accuracy, photos=photos(known, 0.9))
    for seed in range(3):
        made_up(load_recipe("cifar10-fast", [f"seed={seed}", "epochs=1"]), 0.5)
    groups = gather([Path("runs")])
    further = goes_further(work, own, groups)
    words = (
        "cifar10-fast goes further: test accuracy 94.00 ± 1.41 % (n = 2), here 74.00 % (n = 1); "
        "accuracy on photos 90.00 ± 0.00 % (n = 2)"
    )
    assert further is not None
    assert further.words == words
    assert further.to_dict()["measured"]["accuracy"] == [0.93, 0.95]
    page = results_page(groups)
    assert page.count(words) == 1
    assert page.index("## cifar10-cnn") < page.index(words) < page.index("## cifar10-fast")
    assert [each["better"] and each["better"]["recipe"] for each in results_list(groups)] == [
        "cifar10-fast",
        None,
        None,
    ]
    assert goes_further(load_recipe("cifar10-fast"), own, groups) is None


def test_what_earlier_runs_reached_is_pointed_to_until_there_are_newer_ones(tmp_path: Path) -> None:
    made_up(load_recipe("cifar10-cnn"), 0.74)
    (tmp_path / "docs").mkdir()
    assert earlier_recipes(tmp_path / "docs") == frozenset()
    rows = (
        "| recipe | settings |",
        "| --- | --- |",
        "| cifar10-best | epochs=2 |",
        "| cifar10-fast | as shipped | 0 |",
    )
    (tmp_path / "docs" / "results-earlier.md").write_text("\n".join(rows))
    earlier = earlier_recipes(tmp_path / "docs")
    assert earlier == {"cifar10-fast"}
    groups = gather([Path("runs")])
    told = "what it reached stands among the [earlier results](results-earlier.md), whose runs are not kept"
    line = f"cifar10-fast goes further: {told}. Measure it anew with `retinula reproduce cifar10-fast`."
    assert line in results_page(groups, earlier).splitlines()
    none_here = (
        "cifar10-fast goes further; there is no run of it here: measure it with `retinula reproduce cifar10-fast`."
    )
    assert none_here in results_page(groups).splitlines()
    made_up(load_recipe("cifar10-fast"), 0.94)
    assert "cifar10-fast goes further: test accuracy 94.00 %" in results_page(gather([Path("runs")]), earlier)


def test_the_page_counts_cores_in_their_own_plural() -> None:
    made_up(load_recipe("cifar10-cnn"), 0.74)
    assert "\n1. one, 1 core, bfloat16 units: none;" in results_page(gather([Path("runs")]))


def test_runs_that_lack_a_measurement_are_not_said_to_be_none() -> None:
    work = load_recipe("cifar10-cnn")
    fast = [made_up(load_recipe("cifar10-fast", [f"seed={seed}"]), 0.9) for seed in range(2)]
    report = fast[1].report()
    fast[1].report_file.write_text(json.dumps({**report, "evaluations": {"cifar10/train": {"accuracy": 0.9}}}))
    further = goes_further(work, [made_up(work, 0.74)], gather([Path("runs")]))
    assert further is not None
    assert further.words == f"cifar10-fast goes further; not measured by `retinula evaluate` yet: {fast[1].name}"


def test_the_page_names_the_photos_and_knows_no_others() -> None:
    names = ("cifar10-cnn", "cifar10-fast")
    for name in names:
        made_up(load_recipe(name), 0.7, photos=photos("photos-cifar10-classes", 0.75))
    page = results_page(gather([Path("runs")]))
    assert page.count("photos-cifar10-classes") == 1
    assert "\nPhotos:\n\n- photos-cifar10-classes: 59 photos\n" in page
    assert "| accuracy on photos [4] | 53.12 % | 75.00 % (n = 1) | only shown |" in page
    for name in names:
        made_up(load_recipe(name), 0.7, photos=photos("holiday", 0.25))
    page = results_page(gather([Path("runs")]))
    assert "holiday" not in page
    assert "25.00 %" not in page
    assert "| accuracy on photos [4] | 53.12 % | - | not measured |" in page


def reconstructed(name: str, seed: int, **values: Any) -> Run:
    run = made_up(load_recipe(name, [f"seed={seed}"]), 0.0)
    report: dict[str, Any] = run.report()
    for measured in report["evaluations"].values():
        measured.clear()
        measured.update(values)
    run.report_file.write_text(json.dumps(report))
    return run


def test_a_loss_is_shown_above_that_of_a_perfect_copy() -> None:
    recipe = load_recipe("cifar10-autoencoder")
    runs = [reconstructed(recipe.name, seed, loss=0.56 + seed / 100, loss_floor=0.55) for seed in range(2)]
    words = "The test loss lies 0.0150 ± 0.0071 (n = 2) above 0.5500, that of a perfect copy of the test pictures"
    assert floor_words(recipe, runs) == words
    assert f"\n\n{words}.\n\ncifar10-code256 goes further" in results_page(gather([Path("runs")]))
    assert floor_words(load_recipe("cifar10-denoise"), runs) == "", "which claims no loss"
    assert floor_words(recipe, [*runs, reconstructed(recipe.name, 2, loss=0.56)]) == ""


def test_what_takes_noise_out_is_told_by_how_much_of_it() -> None:
    levels = [{"noise": noise, "psnr": 30.0 - 50 * noise, "psnr_noised": 20.5 - 5 * noise} for noise in (0.05, 0.1)]
    run = reconstructed("cifar10-denoise", 0, psnr=33.8, denoising=levels)
    page, (listed,) = results_page(gather([Path("runs")])), results_list(gather([Path("runs")]))
    assert "| cifar10-denoise | as shipped | 0 | 5.00 dB (n = 1) gained at noise 0.1 | - |" in page
    assert "33.80" not in page, "which tells of pictures without noise"
    assert listed["measured"]["psnr_gain"] == pytest.approx([5.0])
    assert "psnr" not in listed["measured"]
    work = load_recipe("cifar10-autoencoder").model_copy(update={"better": "cifar10-denoise"})
    own = [reconstructed(work.name, 0, psnr=22.0, denoising=[{**levels[1], "psnr": 21.0}])]
    further = goes_further(work, own, gather([Path("runs")]))
    assert further is not None
    gained = "PSNR gained at noise 0.1"
    assert further.words == f"cifar10-denoise goes further: {gained} 5.00 dB (n = 1), here 1.00 dB (n = 1)"
    report = run.report()
    report["evaluations"]["cifar10/test"]["denoising"] = []
    run.report_file.write_text(json.dumps(report))
    page = results_page(gather([Path("runs")]))
    assert "| cifar10-denoise | as shipped | 0 | - | - |" in page
    assert "| cifar10-autoencoder | as shipped | 0 | 22.00 dB (n = 1) | - |" in page
