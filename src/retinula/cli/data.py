"""`retinula data`: get, check, show and unpack collections of pictures, and the cache of what is prepared of them."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retinula.cli.terminal import AsJson, counting, remark, say, say_json
from retinula.files.durable import check_folder
from retinula.text.words import plural, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from retinula.datasets.reading import Dataset, Progress
    from retinula.recipe.recipe import Recipe

app = typer.Typer(
    help="Get, check, show and unpack pictures; empty the cache.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER|FILE", help="A data set's name, a folder, an archive, a table, or a .npz file."
    ),
]
SHEETS = Path("sheets")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set's name; see: retinula data list.")]


class Format(StrEnum):
    """Of the files that are written."""

    PNG = "png"
    JPEG = "jpeg"


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the data sets that are known by name."""
    from retinula.datasets.catalog import CATALOG
    from retinula.datasets.load import is_here

    entries: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "about": entry.about,
            "num_images": sum(entry.counts.values()) or None,
            "splits": dict(entry.counts),
            "num_classes": entry.num_classes,
            "size": list(entry.size),
            "channels": entry.channels,
            "licence": entry.licence,
            "homepage": entry.homepage,
            "evaluation_only": "train" not in entry.counts and bool(entry.counts),
            "here": is_here(entry.name),
        }
        for entry in CATALOG.values()
    ]
    if as_json:
        say_json(entries)
        return
    rows = [
        (
            str(row["name"]),
            f"{row['num_images']:,}" if row["num_images"] else "varies",
            str(row["num_classes"]),
            "x".join(map(str, row["size"])),
            "here" if row["here"] else "to get",
            re.split("[;:,]", row["licence"])[0],  # the rest stands in --json; a line is to fit a terminal
        )
        for row in entries
    ]
    for line in table(("name", "pictures", "classes", "size", "", "licence"), rows):
        say(line)


@app.command("get")
def get(
    name: Name,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE|FOLDER", help="Take a copy you have instead of the network.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a data set, check it, and prepare it for training."""
    from retinula.datasets.load import get as fetch

    with counting() as progress:
        dataset = fetch(name, source, progress=progress, on_damage=remark)
    _say_summary(dataset, as_json)


@app.command("check")
def check(
    source: Source,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            exists=True,
            resolve_path=True,
            help="Of a table: where the paths begin, if not beside it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find pictures that are unreadable, empty or duplicate.

    Also between train and test; and those of another size.
    """
    from retinula.datasets.catalog import CATALOG
    from retinula.datasets.check import check_dataset, check_files
    from retinula.datasets.load import is_no_table, load, meant_by, split_record
    from retinula.datasets.source_kind import kind_of_source
    from retinula.errors import InputError

    path = Path(source)
    if root is not None and is_no_table(source):
        raise InputError(f"{source} is no table, so its pictures lie nowhere else; leave --root out")
    own = source not in ("", *CATALOG) and (path.is_dir() or path.is_file()) and meant_by(path) is None
    with counting() as progress:
        if own and kind_of_source(path) != "arrays":
            report = check_files(path, record=split_record(path, root=root), root=root, progress=progress)
        else:
            report = check_dataset(load(source, progress=progress, on_damage=remark), progress=progress)
    if as_json:
        say_json(report.to_dict())
        return
    for line in report.lines():
        say(line)


@app.command("show")
def show(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the contact sheets go; sheets/ and the set's name unless given."),
    ] = None,
    per_class: Annotated[int, typer.Option(metavar="N", help="Pictures of each class on a sheet.", min=1, max=50)] = 10,
    augmented: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Draw what training with this recipe makes of pictures: its first batch, and one nine times.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a contact sheet of each split, and say what is in it."""
    from retinula.datasets.load import load
    from retinula.plots.figure import save
    from retinula.plots.pictures import contact_sheet
    from retinula.recipe.files import load_recipe

    recipe = None if augmented is None else load_recipe(augmented)
    check_folder(out or SHEETS)
    with counting() as progress:
        dataset = load(source, progress=progress, on_damage=remark)
        # What cannot be drawn is refused first.
        drawn = {} if recipe is None else _drawn(source, recipe, progress)
    out = out or SHEETS / dataset.name
    files = [
        str(file)
        for split, image_set in dataset.splits.items()
        if len(image_set)
        for file in save(contact_sheet(image_set, per_class=per_class), out, f"{split}-sheet")
    ]
    files += [str(file) for name, figure in drawn.items() for file in save(figure, out, name)]
    _say_summary(dataset, as_json, files)
    if recipe is not None and len(drawn) == 1:
        remark(f"{recipe.name} changes no picture by itself: only its first batch is drawn")


@app.command("unpack")
def unpack(
    source: Source,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; it must be empty or not exist.")],
    picture_format: Annotated[
        Format, typer.Option("--format", help="png keeps every pixel; jpeg is what the published work wrote.")
    ] = Format.PNG,
    as_json: AsJson = False,
) -> None:
    """Write every picture as a file, a folder a class.

    Train and test lie apart.
    """
    from retinula.datasets.load import load
    from retinula.datasets.unpack import unpack as write

    check_folder(folder)
    with counting() as progress:
        dataset = load(source, progress=progress)
        write(dataset, folder, picture_format.value, progress)
    total = sum(len(image_set) for image_set in dataset.splits.values())
    if as_json:
        say_json({"folder": str(folder), "num_images": total})
    else:
        say(f"{total:,} pictures written to {folder}")


@app.command("cache")
def cache(
    clear: Annotated[
        bool,
        typer.Option(
            "--clear",
            help="Remove them: each is prepared anew when it is next asked for. Downloads stay, and which pictures of "
            "one's own are to test on.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the prepared sets, or remove them.

    With their size, when they were made, and where they lie. What a process is preparing now is never removed.
    """
    from retinula.datasets import contents
    from retinula.datasets.cache import prepared_sets
    from retinula.datasets.load import cache_folder

    folder = prepared_sets(cache_folder())
    if clear:
        removed, spared = contents.clear(folder)
        num_bytes = sum(each.num_bytes for each in removed)
        if as_json:
            parts = {"removed": removed, "spared": spared}
            listed = {name: [each.to_dict() for each in part] for name, part in parts.items()}
            say_json({"folder": str(folder), "num_bytes": num_bytes, **listed})
            return
        say(f"{plural(len(removed), 'folder')} removed from {folder}, {_size(num_bytes)}")
        for each in spared:
            remark(f"spared {each.folder}, which is being prepared or cannot be removed")
        return
    kept = contents.kept_in(folder)
    num_bytes = sum(each.num_bytes for each in kept)
    if as_json:
        say_json({"folder": str(folder), "num_bytes": num_bytes, "sets": [each.to_dict() for each in kept]})
        return
    rows = [
        (
            each.name or "-",
            f"{each.num_images:,}" if each.num_images else "-",
            _size(each.num_bytes),
            f"{each.made.astimezone():%Y-%m-%d %H:%M}" if each.whole else "unfinished",
            each.folder.name,
        )
        for each in kept
    ]
    for line in table(("name", "pictures", "size", "made", "folder"), rows) if rows else []:
        say(line)
    say(f"{_size(num_bytes)} in {folder}")


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def _drawn(source: str, recipe: "Recipe", progress: "Progress") -> "dict[str, Figure]":
    """Return figures by their files' names: one picture as training changes it, if it does, and the first batch."""
    from retinula.evaluation.run_data import load_dataset, training_sets
    from retinula.plots.batch import batch
    from retinula.plots.distortion import distortions, happenings
    from retinula.training.plan import augment_of
    from retinula.training.shown import fed_batch

    if source != recipe.data.name:
        recipe = recipe.changed(data={"name": source, "more": ()})
    dataset = load_dataset(recipe, progress)
    images = training_sets(recipe, dataset).train
    name = f"{images.name}, picture 0" if images.labels is None else images.classes[images.labels[0]]
    augment = augment_of(recipe)
    drawn = {}
    if happenings(augment):
        distorted = distortions(images.images[0], augment, name=name, recipe=recipe.name, seed=recipe.seed)
        drawn[f"augmented-{recipe.name}"] = distorted
    fed = batch(fed_batch(recipe, images), name=dataset.name, recipe=recipe.name)
    return drawn | {f"batch-{recipe.name}": fed}


def _say_summary(dataset: "Dataset", as_json: bool, files: list[str] | None = None) -> None:
    summaries = {split: image_set.summary() for split, image_set in dataset.splits.items() if len(image_set)}
    if as_json:
        left_out = [one._asdict() for one in dataset.skipped]
        say_json({"name": dataset.name, "splits": summaries, "skipped": left_out, "files": files or []})
        return
    for split, values in summaries.items():
        numbers = list(values["counts"].values())
        shape = "x".join(str(values[key]) for key in ("channels", "height", "width"))
        say(f"{dataset.name} {split}: {values['num_images']:,} pictures of {shape}")
        say(f"  mean {values['mean']}, deviation {values['deviation']}, fingerprint {values['fingerprint']}")
        if numbers:
            say(f"  {values['num_classes']} classes, {min(numbers):,} to {max(numbers):,} pictures each")
        if "copy" in values:
            say(f"  {values['copy']}")
    if summaries:
        counts = {split: values["counts"] for split, values in summaries.items()}
        classes = next(iter(counts.values()))
        rows = [(name, *(f"{counts[split].get(name, 0):,}" for split in counts)) for name in classes]
        for line in table(("class", *counts), rows):
            say(line)
    for skipped in dataset.skipped:
        remark(f"left out {skipped.source}: {skipped.reason}")
    for file in files or []:
        say(file)
