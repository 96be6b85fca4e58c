"""`retinula evaluate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.cli.trained import RunOrModel, found_model, without_pictures
from retinula.errors import InputError
from retinula.forms import Averaging


class Split(StrEnum):
    """Which pictures to measure on."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


def evaluate(
    run: RunOrModel,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER|FILE",
            help="Other pictures of the same classes, or some of them; also an archive, a table, or a .npz file.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which part of the data set.")] = Split.TEST,
    tta: Annotated[
        bool | None,
        typer.Option(
            "--tta/--no-tta",
            help="Average over mirrored and shifted pictures, as the speed records count, or do not; as the recipe "
            "says unless given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write report and figures there, not into the run.")
    ] = None,
    corruptions: Annotated[
        bool,
        typer.Option(
            "--corruptions",
            help="Also measure on pictures spoilt in 16 ways, 5 strengths each, by single looks unless --tta is given "
            "(slow).",
        ),
    ] = False,
    sample: Annotated[
        int, typer.Option(metavar="N", help="How many pictures to spoil, drawn at random; 0 for all.", min=0)
    ] = 1000,
    labels: Annotated[
        bool, typer.Option("--labels", help="Also look for labels that are likely wrong (needs cleanlab).")
    ] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Also look for near-duplicates, in the split and in the training set.")
    ] = False,
    embedding: Annotated[
        bool, typer.Option("--map", help="Also map the pictures as the network sees them (t-SNE).")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="All of --corruptions, --labels, --duplicates and --map.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a trained model, and draw figures of it.

    Accuracy with its interval, of each class, and how sure it is against how often it is right. Of a model file alone
    --data names the pictures, and nothing is written unless --out says where.
    """
    found = found_model(run)  # before torch is loaded, which takes seconds
    if found.run is None and data is None:
        raise without_pictures(run)
    if found.run is not None and data is None:
        from retinula.runs.own_there import check_own_there

        check_own_there(found.run, ", or measure on pictures of your choice with --data")
    from retinula.evaluation.asked import ask, ask_file
    from retinula.evaluation.label_errors import check_findable
    from retinula.evaluation.results import ClassificationResult
    from retinula.evaluation.text import LOOKS, inspection_text, text_report
    from retinula.inspection import check_classifies, look_closer
    from retinula.measurement import measure
    from retinula.runs.run import Run
    from retinula.trained.model_file import Model

    closer = deep or corruptions or labels or duplicates or embedding
    if deep or labels:
        check_findable()  # before the pictures are loaded and measured
    inspection = None
    with counting() as progress:
        if found.run is None:
            model = Model.load(found.file)
            asked = ask_file(model, data=data or "", split=split.value, folder=out, progress=progress, remark=remark)
        else:
            asked = ask(found.run, data=data, split=split.value, folder=out, progress=progress, remark=remark)
        averaging: Averaging | None = None if tta is None else "mirror-shift" if tta else "none"
        if closer:
            check_classifies(asked.model, asked.run)
        result = measure(asked, tta=averaging, progress=progress)
        if closer:
            inspection = look_closer(
                asked,
                corruptions=deep or corruptions,
                labels=deep or labels,
                duplicates=deep or duplicates,
                embedding=deep or embedding,
                num_images=sample,
                tta=averaging or "none",
                progress=progress,
            )
    if as_json:
        say_json(result.to_dict() | ({} if inspection is None else inspection.to_dict()))
    else:
        lines = text_report(result)
        if inspection is not None and isinstance(result, ClassificationResult):
            lines += inspection_text(inspection, result)
        for line in lines:
            say(line)
        if asked.place is not None:
            say(f"figures: {Run(asked.place).figures}")
    if inspection is not None and inspection.impossible and len(inspection.unlooked) == len(LOOKS):
        raise InputError("; ".join(inspection.impossible.values()))  # nothing that was asked for could be looked for
