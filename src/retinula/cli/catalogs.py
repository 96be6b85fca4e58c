"""`retinula models`, `retinula recipes`: what there is, by name."""

import json
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from retinula.cli.terminal import AsJson, remark, say, say_json
from retinula.cli.trained import trained_model
from retinula.errors import InputError
from retinula.extras import how_to_install, is_here
from retinula.text.words import table

if TYPE_CHECKING:
    from torch.nn import Module

    from retinula.recipe.recipe import Recipe

# Of settings that are not given and for which TOML has no word.
WITHOUT = {
    "inputs.size": "as the data are",
    "inputs.channels": "as the data are",
    "training.epochs": "steps are given",
    "training.steps": "epochs are given",
}

CHECKSUM = "model.weights_sha256"  # written where weights are given; nobody sets it


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|RUN]",
            help="One of them or of timm's (timm/NAME), or a run's folder or name, 'last' or a model file: its layers "
            "and arguments.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[key=value ...]",
            help="For one of them: its arguments, and size, channels and classes, such as width=2 size=96.",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Pictures in the batch that memory is counted for.", min=1)
    ] = 128,
    as_json: AsJson = False,
) -> None:
    """List the networks, or show one layer by layer, your own too.

    Of each layer its shape, parameters and multiply-adds; of the whole also the memory, and its own arguments.
    """
    from retinula.models.catalog import NETWORKS, is_network
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
        needed = "" if is_here("models") else f" ({how_to_install('models')})"
        say(f"and those of timm, such as timm/resnet18{needed}")
        return
    shown = _of_catalog(name, settings or []) if is_network(name) else _of_a_run(name, settings or [])
    summary = summarize(shown.network, shown.input_shape, batch_size)
    if as_json:
        say_json({**summary.to_dict(), "name": shown.name, "arguments": shown.arguments})
        return
    for line in layer_table(summary):
        say(line)
    say(f"network {shown.name}, inputs {'x'.join(map(str, shown.input_shape))}")
    arguments = ", ".join(f"{key}={json.dumps(value)}" for key, value in shown.arguments.items())
    usual = is_network(name) and not settings
    say(f"arguments{' (model.arguments.NAME=VALUE), unless given' if usual else ''}: {arguments or 'none'}")


class _Shown(NamedTuple):
    """A network to show: its name in the catalog, channels, height and width of its inputs, and its own arguments."""

    network: "Module"
    name: str
    input_shape: tuple[int, int, int]
    arguments: dict[str, Any]


def _of_catalog(name: str, settings: list[str]) -> _Shown:
    """Build a network of the catalog in its published setting, but for what is set."""
    from retinula.models.catalog import build, network_named
    from retinula.models.timm_networks import check_inputs, is_of_timm
    from retinula.recipe.assignment import ARGUMENTS, parse
    from retinula.recipe.files import checked

    entry = network_named(name)
    arguments: dict[str, Any] = {}
    inputs: dict[str, Any] = {"size": entry.size, "channels": entry.channels}
    num_classes = entry.num_classes
    for setting in settings:
        key, value = parse(setting)
        place = key.removeprefix("inputs.")
        if key == "classes":
            if type(value) is not int:
                raise InputError(f"classes={value!r}: expected how many there are, such as classes=10")
            num_classes = value
        elif place in inputs:
            inputs[place] = value
        else:
            arguments[key.removeprefix(ARGUMENTS)] = value
    model = {"name": name, "arguments": arguments}
    recipe = checked({"name": "shown", "model": model, "inputs": inputs}, f"retinula models {name}")
    size, channels = recipe.inputs.size or entry.size, recipe.inputs.channels or entry.channels
    network = build(name, num_classes=num_classes, channels=channels, size=size, **recipe.model.arguments)
    if is_of_timm(name):
        check_inputs(name, network, (channels, *size))
    return _Shown(network, name, (channels, *size), {**entry.arguments, **recipe.model.arguments})


def _of_a_run(name: str, settings: list[str]) -> _Shown:
    """Load the network of a run or model file."""
    from retinula.models.catalog import network_named
    from retinula.transfer import find_weights

    weights = find_weights(name, tell=remark)
    if settings:
        raise InputError(f"{name} is a trained network, which is shown as it is: leave {settings[0]} out")
    model = trained_model(str(weights))
    arguments = {**network_named(model.network_name).arguments, **model.arguments}
    return _Shown(model.network, model.network_name, model.preprocess.input_shape, arguments)


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="One of them, as it would run.")] = None,
    settings: Annotated[list[str] | None, typer.Argument(metavar="[key=value ...]", help="Settings to change.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the shipped recipes, or show one with all settings."""
    from retinula.recipe.files import load_recipe, shipped

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
        from retinula.recipe.resetting import recipe_named  # loads torch, to know what each network takes

        recipe = recipe_named(name, settings)
    else:
        recipe = load_recipe(name)
    if as_json:
        say_json({**recipe.model_dump(mode="json"), "digest": recipe.digest()})
    else:
        say(f"# digest {recipe.digest()}\n{_with_what_is_not_given(recipe)}".rstrip())


def _with_what_is_not_given(recipe: "Recipe") -> str:
    """Return the recipe as TOML in which comments name the settings that it leaves out."""
    from retinula.recipe.sections import Section

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
