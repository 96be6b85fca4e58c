"""`retinula models`, `retinula recipes`: what there is, by name."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from retinula.cli.terminal import AsJson, say, say_json
from retinula.words import table

if TYPE_CHECKING:
    from retinula.recipe import Recipe

# Of settings that are not given and for which TOML has no word.
WITHOUT = {
    "inputs.size": "as the data are",
    "inputs.channels": "as the data are",
    "training.epochs": "steps are given",
    "training.steps": "epochs are given",
}

CHECKSUM = "model.weights_sha256"  # written where weights are given; nobody sets it


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them: its layers and arguments.")] = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Pictures in the batch that memory is counted for.", min=1)
    ] = 128,
    as_json: AsJson = False,
) -> None:
    """List the networks, or show one layer by layer.

    Of each layer its shape, parameters and multiply-adds; of the whole also the memory, and its own arguments.
    """
    from retinula.models.catalog import NETWORKS, build, network_named
    from retinula.models.summary import layer_table, summarize

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
        say_json({**summary.to_dict(), "name": name, "arguments": entry.arguments})
        return
    for line in layer_table(summary):
        say(line)
    arguments = [f"{key}={json.dumps(default)}" for key, default in entry.arguments.items()]
    say(f"arguments (model.arguments.NAME=VALUE), unless given: {', '.join(arguments) or 'none'}")


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
    if settings:
        from retinula.resetting import recipe_named  # loads torch, to know what each network takes

        recipe = recipe_named(name, settings)
    else:
        recipe = load_recipe(name)
    if as_json:
        say_json({**recipe.model_dump(mode="json"), "digest": recipe.digest()})
    else:
        say(f"# digest {recipe.digest()}\n{_with_what_is_not_given(recipe)}".rstrip())


def _with_what_is_not_given(recipe: "Recipe") -> str:
    """Return the recipe as TOML in which comments name the settings that it leaves out."""
    from retinula.sections import Section

    lines: list[str] = []
    absent: list[str] = []
    for line in [*recipe.to_toml().splitlines(), ""]:
        if not line:  # where a section ends
            lines += absent
            absent = []
        lines.append(line)
        name = line.strip("[]")
        section = getattr(recipe, name, None) if line.startswith("[") else None
        if isinstance(section, Section):
            absent = [
                f"# {key} = ...   ({WITHOUT.get(full, 'none')})"
                for key, value in section
                if value is None and (full := f"{name}.{key}") != CHECKSUM
            ]
    return "\n".join(lines)
