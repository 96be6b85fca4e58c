import json
from pathlib import Path
from typing import Any

import pytest

from retinula.errors import InputError
from retinula.recipe.files import load_recipe, shipped
from retinula.recipe.recipe import Recipe
from retinula.reproduction.finished import Finished
from retinula.reproduction.floor import floor_words
from retinula.reproduction.further import check_better, goes_further
from retinula.reproduction.results import earlier_recipes, gather, results_list, results_page
from retinula.runs.run import create_run
from small_reproductions import run_it, small
from small_runs import whole_report

MACHINE = {"accelerator": None, "processor": "one", "cores": 1, "bfloat16_units": "none"}
AVERAGING = 0.01  # that it adds
MEASURED_ELSEWHERE = {"data": {}, "machine": MACHINE, "versions": {}, "python": "3"}


def made_up(recipe: Recipe, accuracy: float, num_images: int = 10_000, **values: Any) -> Finished:
    """A finished run that says this of single looks at its test pictures."""
    run = create_run(recipe, MEASURED_ELSEWHERE, root=Path("runs"))
    report = whole_report(
        data={"name": "cifar10/train"}, evaluations={"cifar10/test": {"accuracy": accuracy}}, **values
    )
    averaged = {"accuracy": accuracy + AVERAGING, "plain_accuracy": accuracy, "num_images": num_images}
    report["evaluations"][f"cifar10/test/{recipe.evaluation.tta}"] = averaged
    report["evaluations"]["cifar10/test"]["num_images"] = num_images
    run.report_file.write_text(json.dumps(report))
    return Finished.read(run)


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
    for seed, accuracy in enumerate((0.935, 0.945)):
        made_up(load_recipe("cifar10-fast", [f"seed={seed}"]), accuracy, photos=photos(known, 0.9))
    for seed in range(3):
        made_up(load_recipe("cifar10-fast", [f"seed={seed}", "epochs=1"]), 0.5)
    groups = gather([Path("runs")])
    further = goes_further(work, own, groups)
    words = (
        "cifar10-fast goes further: test accuracy by a single look 94.00 ± 0.71 % (n = 2), here 74.00 % (n = 1), "
        "of 10,000 pictures; "
        "accuracy on photos 90.00 ± 0.00 % (n = 2)"
    )
    assert further is not None
    assert further.words == words
    assert (further.to_dict()["measured"]["plain_accuracy"], further.finding) == ([0.935, 0.945], "goes further")
    page = results_page(groups)
    assert page.count(words) == 1
    assert page.index("## cifar10-cnn") < page.index(words) < page.index("## cifar10-fast")
    assert [each["better"] and each["better"]["recipe"] for each in results_list(groups)] == [
        "cifar10-fast",
        None,
        None,
    ]
    assert goes_further(load_recipe("cifar10-fast"), own, groups) is None


@pytest.mark.parametrize(
    ("further", "here", "num_images", "finding"),
    [
        ((0.60,), (0.74,), 10_000, "falls behind"),
        ((0.75,), (0.73,), 10_000, "goes further"),
        ((0.75,), (0.73,), 300, "cannot be told apart"),
        ((0.75, 0.79), (0.73, 0.77), 10_000, "cannot be told apart"),
        (
            (297 / 300, 295 / 300, 296 / 300, 297 / 300, 295 / 300),
            (297 / 300, 295 / 300, 293 / 300),
            300,
            "cannot be told apart",
        ),
    ],
)
def test_what_is_no_more_than_chance_does_not_go_further(
    further: tuple[float, ...], here: tuple[float, ...], num_images: int, finding: str
) -> None:
    for name, reached in (("cifar10-cnn", here), ("cifar10-fast", further)):
        for seed, accuracy in enumerate(reached):
            made_up(load_recipe(name, [f"seed={seed}"]), accuracy, num_images)
    work, better = gather([Path("runs")])
    found = goes_further(load_recipe("cifar10-cnn"), work, [work, better])
    assert found is not None
    assert found.finding == found.to_dict()["finding"] == finding
    whom = " from cifar10-cnn" if finding == "cannot be told apart" else ""
    seeds = ", by one seed each" if len(further) == len(here) == 1 else ""
    assert found.words.startswith(f"cifar10-fast {finding}{whom}{seeds}: test accuracy by a single look ")
    assert found.words.endswith(f", of {num_images:,} pictures")


def test_what_averages_alike_is_compared_so() -> None:
    work = load_recipe("cifar10-glance").model_copy(update={"better": "cifar10-fast"})
    own, _ = made_up(work, 0.90), made_up(load_recipe("cifar10-fast"), 0.93)
    found = goes_further(work, [own], gather([Path("runs")]))
    assert found is not None
    told = "test accuracy, mean of six looks 94.00 % (n = 1), here 91.00 % (n = 1), of 10,000 pictures"
    assert found.words == f"cifar10-fast goes further, by one seed each: {told}"


def test_other_numbers_of_pictures_are_both_said() -> None:
    work = load_recipe("cifar10-cnn")
    own, _ = made_up(work, 0.74), made_up(load_recipe("cifar10-fast"), 0.94, num_images=2_000)
    found = goes_further(work, [own], gather([Path("runs")]))
    assert found is not None
    assert found.words.endswith(" 94.00 % (n = 1), here 74.00 % (n = 1), of 2,000 and 10,000 pictures")


def test_the_page_tells_single_looks_and_how_many_pictures() -> None:
    for seed, accuracy in enumerate((0.93, 0.95)):
        made_up(load_recipe("cifar10-fast", [f"seed={seed}"]), accuracy, 300 + seed)
    made_up(load_recipe("cifar10-cnn"), 0.74)
    page = results_page(gather([Path("runs")])).splitlines()
    both = "95.00 ± 1.41 % (n = 2) | 94.00 ± 1.41 % (n = 2)"
    assert any(line.startswith(f"| cifar10-fast | as shipped | 0, 1 | 300, 301 | {both} |") for line in page)
    assert any(line.startswith("| cifar10-cnn | as shipped | 0 | 10,000 | 74.00 % (n = 1) | - |") for line in page)
    assert "| test accuracy, mean of six looks | at least 94.00 % | 95.00 ± 1.41 % (n = 2) | yes |" in page
    assert [each["num_images"] for each in results_list(gather([Path("runs")]))] == [[10_000], [300, 301]]


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
    line = f"cifar10-fast is meant to go further: {told}. Measure it anew with `retinula reproduce cifar10-fast`."
    assert line in results_page(groups, earlier).splitlines()
    none_here = (
        "cifar10-fast is meant to go further; there is no run of it here: measure it with "
        "`retinula reproduce cifar10-fast`."
    )
    assert none_here in results_page(groups).splitlines()
    made_up(load_recipe("cifar10-fast"), 0.94)
    assert "cifar10-fast goes further, by one seed each: test accuracy by a single look 94.00 %" in results_page(
        gather([Path("runs")]), earlier
    )


def test_the_page_counts_cores_in_their_own_plural() -> None:
    made_up(load_recipe("cifar10-cnn"), 0.74)
    assert "\n1. one, 1 core, bfloat16 units: none;" in results_page(gather([Path("runs")]))


@pytest.mark.parametrize("with_photos", [(1,), (0, 1)])
def test_runs_that_lack_a_measurement_are_not_said_to_be_none(with_photos: tuple[int, ...]) -> None:
    work = load_recipe("cifar10-cnn")
    asked = photos("photos-cifar10-classes", 0.9)
    fast = [
        made_up(load_recipe("cifar10-fast", [f"seed={seed}"]), 0.9, photos=asked if seed in with_photos else None)
        for seed in (0, 1)
    ]
    lacking = {**fast[1].report, "evaluations": {"cifar10/train": {"accuracy": 0.9}}}
    fast[1].run.report_file.write_text(json.dumps(lacking))
    further = goes_further(work, [made_up(work, 0.74)], gather([Path("runs")]))
    assert further is not None
    lacks = f"not measured by `retinula evaluate` yet: {fast[1].run.name}"
    assert further.words == f"cifar10-fast is meant to go further; {lacks}"
    assert further.finding == "not measured"


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


def reconstructed(name: str, seed: int, **values: Any) -> Finished:
    run = made_up(load_recipe(name, [f"seed={seed}"]), 0.0).run
    report: dict[str, Any] = run.report()
    for measured in report["evaluations"].values():
        measured.clear()
        measured.update(values)
    run.report_file.write_text(json.dumps(report))
    return Finished.read(run)


def test_a_loss_is_shown_above_that_of_a_perfect_copy() -> None:
    recipe = load_recipe("cifar10-autoencoder")
    runs = [reconstructed(recipe.name, seed, loss=0.56 + seed / 100, loss_floor=0.55) for seed in range(2)]
    words = "The test loss lies 0.0150 ± 0.0071 (n = 2) above 0.5500, that of a perfect copy of the test pictures"
    assert floor_words(recipe, runs) == words
    assert f"\n\n{words}.\n\ncifar10-code256 is meant to go further;" in results_page(gather([Path("runs")]))
    assert floor_words(load_recipe("cifar10-denoise"), runs) == "", "which claims no loss"
    assert floor_words(recipe, [*runs, reconstructed(recipe.name, 2, loss=0.56)]) == ""


def test_what_takes_noise_out_is_told_by_how_much_of_it() -> None:
    levels = [{"noise": noise, "psnr": 30.0 - 50 * noise, "psnr_noised": 20.5 - 5 * noise} for noise in (0.05, 0.1)]
    run = reconstructed("cifar10-denoise", 0, psnr=33.8, denoising=levels).run
    page, (listed,) = results_page(gather([Path("runs")])), results_list(gather([Path("runs")]))
    assert "| cifar10-denoise | as shipped | 0 | - | 5.00 dB (n = 1) gained at noise 0.1 | - | - |" in page
    assert "33.80" not in page, "which tells of pictures without noise"
    assert listed["measured"]["psnr_gain"] == pytest.approx([5.0])
    assert "psnr" not in listed["measured"]
    work = load_recipe("cifar10-autoencoder").model_copy(update={"better": "cifar10-denoise"})
    own = [reconstructed(work.name, 0, psnr=22.0, denoising=[{**levels[1], "psnr": 21.0}])]
    further = goes_further(work, own, gather([Path("runs")]))
    assert further is not None
    gained = "PSNR gained at noise 0.1"
    both = f"{gained} 5.00 dB (n = 1), here 1.00 dB (n = 1)"
    assert further.words == f"cifar10-denoise cannot be told apart from cifar10-autoencoder, by one seed each: {both}"
    report = run.report()
    report["evaluations"]["cifar10/test"]["denoising"] = []
    run.report_file.write_text(json.dumps(report))
    page = results_page(gather([Path("runs")]))
    assert "| cifar10-denoise | as shipped | 0 | - | - | - | - |" in page
    assert "| cifar10-autoencoder | as shipped | 0 | - | 22.00 dB (n = 1) | - | - |" in page
