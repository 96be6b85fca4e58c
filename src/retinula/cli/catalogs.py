"""`retinula models`, `retinula recipes`: what there is, by name."""

from typing import Annotated

import typer

from retinula.cli.terminal import AsJson, say, say_json, table


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them: its layers.")] = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Pictures in the batch that memory is counted for.", min=1)
    ] = 128,
    as_json: AsJson = False,
) -> None:
    """List the networks, or show one layer by layer.

    Of each layer its shape, parameters and multiply-adds; of the whole also the memory.
    """
    from retinula.models.catalog import NETWORKS, build, network_named
    from retinula.models.summary import summarize

    if name is None:
        entries = NETWORKS.values()
        if as_json:
            names = ("name", "task", "parameters", "multiply_adds", "about", "source")
            say_json([{key: getattr(entry, key) for key in names} for entry in entries])
            return
        rows = [
            (entry.name, entry.task, f"{entry.parameters:,}", f"{entry.multiply_adds:,}", entry.about)
            for entry in entries
        ]
        for line in table(("name", "task", "parameters", "multiply-adds", "what it is"), rows):
            say(line)
        return
    entry = network_named(name)
    network = build(name, num_classes=entry.num_classes, channels=entry.channels, size=entry.size)
    summary = summarize(network, (entry.channels, *entry.size), batch_size)
    if as_json:
        say_json({**summary.to_dict(), "name": name})
        return
    layers = [
        (row.name, row.kind, "x".join(map(str, row.output_shape)), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in summary.layers
    ]
    for line in table(("layer", "kind", "output", "parameters", "multiply-adds"), layers):
        say(line)
    say(f"parameters {summary.parameters:,}, multiply-adds {summary.multiply_adds:,} a picture")
    say(
        f"memory for a batch of {batch_size}, MB: input {summary.input_mb:.2f}, "
        f"forward/backward {summary.forward_backward_mb:.2f}, parameters {summary.parameters_mb:.2f}, "
        f"in all {summary.total_mb:.2f}"
    )


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="One of them, as it would run.")] = None,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[key=value ...]", help="Settings to change.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped recipes, or show one with all settings."""
    from retinula.recipe_files import load_recipe, shipped

    if name is None:
        found = [load_recipe(each) for each in shipped()]
        if as_json:
            say_json([recipe.model_dump(mode="json") for recipe in found])
            return
        for line in table(
            ("name", "data", "network", "what it is"),
            [(recipe.name, recipe.data.name, recipe.model.name, recipe.about) for recipe in found],
        ):
            say(line)
        return
    recipe = load_recipe(name, settings or [])
    if settings:
        from retinula.resetting import with_own_arguments

        recipe = with_own_arguments(recipe, settings)
    if as_json:
        say_json({**recipe.model_dump(mode="json"), "digest": recipe.digest()})
    else:
        say(f"# digest {recipe.digest()}\n{recipe.to_toml()}".rstrip())
