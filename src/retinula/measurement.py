"""Measuring a trained model on pictures: asked, drawn, and the result written where it belongs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from retinula.datasets.reading import Progress, SplitName
from retinula.evaluation.answered import save_answered
from retinula.evaluation.asked import Asked, ask
from retinula.evaluation.measuring import evaluate_known
from retinula.evaluation.results import ClassificationResult, Evaluation, ReconstructionResult
from retinula.evaluation.run_data import OTHERS
from retinula.files.durable import make_folder, write_json
from retinula.files.lock import rewriting
from retinula.forms import Averaging
from retinula.models.linear_code import linear_code_psnr
from retinula.plots.evaluation import draw_evaluation
from retinula.runs.files import evaluation_key
from retinula.runs.run import Run


def evaluate_run(
    run: Run,
    *,
    data: str | None = None,
    split: SplitName = "test",
    tta: Averaging | None = None,
    folder: Path | None = None,
    remedy: str = OTHERS,
    progress: Progress | None = None,
    remark: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure a finished run's model, draw the figures, and add the result to its report: `ask`, then `measure`."""
    asked = ask(run, data=data, split=split, folder=folder, remedy=remedy, progress=progress, remark=remark)
    return measure(asked, tta=tta, progress=progress)


def measure(asked: Asked, *, tta: Averaging | None = None, progress: Progress | None = None) -> Evaluation:
    """Measure a model on pictures, draw the figures, and write the result where it belongs.

    Args:
        asked: the model and the pictures.
        tta: averaging at test time; as the recipe says where None.
        progress: told how far measuring is.

    Raises:
        InputError: the pictures do not fit the model.
        RetinulaError: a disk refuses.
    """
    run, images, split, place = asked.run, asked.images, asked.split, asked.place
    told = partial(progress, "evaluating") if progress else None
    averaging = tta or ("none" if asked.recipe is None else asked.recipe.evaluation.tta)
    result = evaluate_known(asked.model, images, asked.learned, split=split, tta=averaging, progress=told)
    if asked.own and isinstance(result, ReconstructionResult) and result.code_numbers:
        learned = asked.own.splits.get("train")
        # Where they have changed, nothing else is fair beside a code learned from those of then.
        if learned is not None:
            linear = linear_code_psnr(learned, images, result.code_numbers, asked.model.preprocess)
            result = replace(result, linear_psnr=linear)
    if place is None:
        return result
    draw_evaluation(result, images, Run(place).figures)
    if run is not None and asked.of_run:
        measured = result.dataset if place == run.path else place.name  # others may be called as its own are
        key = evaluation_key(measured, split, result.tta)
        with rewriting(run.report_file):
            report = run.report()  # read late: another measurement may have been added meanwhile
            report["evaluations"][key] = result.to_dict()
            write_json(run.report_file, report)
    if run is None or place != run.path:
        make_folder(place)
        write_json(Run(place).report_file, result.to_dict())
    elif isinstance(result, ClassificationResult) and _is_reported(asked, result):
        save_answered(run.answers_file(split), asked.model, images, result)
    return result


def _is_reported(asked: Asked, result: ClassificationResult) -> bool:
    """Tell whether the run's report would ask the same, averaged as its recipe says, and need not if it is kept."""
    return asked.recipe is not None and result.tta == asked.recipe.evaluation.tta and not asked.learned.from_these
