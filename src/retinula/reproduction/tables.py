"""The tables that works show beside their figures: layers with their memory, and how well each class is told."""

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from retinula.evaluation.text import SCORED, score_rows
from retinula.files.spreadsheets import harmless
from retinula.models.summary import layer_table, summarize
from retinula.reproduction.place import CLASSES, LAYERS
from retinula.runs.run import Run
from retinula.trained.model_file import Model

_NEEDED: Final = {"per_class", "macro_average", "weighted_average", "num_images"}


def tables_of(run: Run) -> dict[str, str]:
    """Return the tables of a finished run by the names of their files: of the classes where it tells any.

    Raises:
        InputError: its model or its report cannot be read.
    """
    model = Model.load(run.path)
    summary = summarize(
        model.network, model.preprocess.input_shape, run.recipe().training.batch_size, name=model.network_name
    )
    measured = {file: run.evaluation(split) for split, file in CLASSES.items()}
    told = {file: _scores(values) for file, values in measured.items() if values.keys() >= _NEEDED}
    return {LAYERS: "".join(f"{line}\n" for line in layer_table(summary)), **told}


def _scores(measured: Mapping[str, Any]) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(SCORED)
    for row in score_rows(measured):
        scores = ["" if value is None else f"{value:.6f}" for value in (row.precision, row.recall, row.f1)]
        table.writerow([harmless(row.name, "'"), *scores, row.num_images])
    return out.getvalue()
