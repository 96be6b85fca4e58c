"""`retinula bench`."""

from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.text.words import plural, table


def bench(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE...", help="Shipped recipes; all unless given.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure this machine, and how long each recipe takes here.

    Of each recipe the pictures a second, the share of the machine's peak, and the time of a whole training: its steps,
    and what follows those of an epoch, validation and the averaging of weights.
    """
    from retinula.bench import PEAK_PRECISIONS, first_answer_seconds, matrix_peak, measurable, measure_speeds, untrained
    from retinula.recipe.files import load_recipe, shipped
    from retinula.text.words import duration
    from retinula.training.hardware import describe_machine

    chosen = [load_recipe(name) for name in recipes or shipped()]
    left_out = {recipe.name: reason for recipe in chosen if (reason := measurable(recipe))}
    measured = [recipe for recipe in chosen if recipe.name not in left_out]
    machine = describe_machine()
    speeds = []
    with counting() as progress:
        waiting = measure_speeds(measured)
        for number, recipe in enumerate(measured):
            progress(f"measuring {recipe.name}", number, len(measured))
            speeds.append(next(waiting))
    peaks = {precision: matrix_peak(precision) for precision in PEAK_PRECISIONS}
    answer = first_answer_seconds(untrained("cifar10-cnn"))
    if as_json:
        say_json(
            {
                "machine": machine,
                "peaks": peaks,
                "first_answer_seconds": answer,
                "recipes": [speed.to_dict() for speed in speeds],
                "left_out": left_out,
            }
        )
        return
    say(f"{machine['processor']}, {plural(machine['cores'], 'core')}, bfloat16 units: {machine['bfloat16_units']}")
    for precision, peak in peaks.items():
        say(f"a {precision} matrix product reaches {peak / 1e9:,.0f} thousand million multiply-adds a second")
    head = ("recipe", "a step", "trained/s", "predicted/s", "loaded/s", "of a step", "of the peak", "whole training")
    rows = [
        (
            speed.recipe,
            f"{1000 * speed.step_seconds:,.0f} ms",
            f"{speed.trained:,.0f}",
            f"{speed.predicted:,.0f}",
            f"{speed.loaded:,.0f}",
            f"{100 * speed.loading_share:.1f} %",
            f"{100 * speed.peak_share:.0f} %",
            duration(speed.seconds),
        )
        for speed in speeds
    ]
    for line in table(head, rows):
        say(line)
    say(f"the first answer about a photo comes after {answer:.1f} s")
    for name, reason in left_out.items():
        remark(f"left out {name}: it {reason}")
