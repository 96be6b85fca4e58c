"""What came of a reproduction, as plain values, as Markdown and in lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinula.recipe.recipe import Recipe
from retinula.reproduction.asking import AnsweredPhotos, AskedPhotos
from retinula.reproduction.begun_from import begun_from, words_of
from retinula.reproduction.finished import Finished
from retinula.reproduction.floor import floor_words
from retinula.reproduction.further import Further
from retinula.reproduction.place import ANSWERS, changed_before_training
from retinula.reproduction.table import Row, head_for, markdown
from retinula.text.names import printable


@dataclass(frozen=True)
class Reproduction:
    """What came of it.

    Attributes:
        recipe: with its first seed.
        runs: a finished one for each seed.
        rows: published beside measured.
        photos: that the models were asked about and scored by.
        answered: the first seed's answers to the photos that are drawn, where they can be scored.
        further: what is meant to go further, where the recipe names it.
        figures: files in the folder `figures`.
        tables: files of layers and of classes.
        folder: the table, as `table.md` and `table.json`, answers to photos as `photos.csv`, tables, and `figures/`.
    """

    recipe: Recipe
    runs: tuple[Finished, ...]
    rows: tuple[Row, ...]
    photos: tuple[AskedPhotos, ...]
    answered: AnsweredPhotos | None
    further: Further | None
    figures: tuple[str, ...]
    tables: tuple[str, ...]
    folder: Path

    @property
    def title(self) -> str:
        """The recipe, and what of it was changed."""
        changed = changed_before_training(self.recipe)
        return f"{self.recipe.name} with {printable(', '.join(changed))}" if changed else self.recipe.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What was run, and whether the better recipe goes further, a line each."""
        changed = changed_before_training(self.recipe)
        settings = "from your own recipe file" if changed is None else printable(", ".join(changed)) or "as shipped"
        notes = [
            f"settings: {settings}",
            f"seeds: {', '.join(map(str, self._seeds))}",
            f"runs: {', '.join(printable(each.run.name) for each in self.runs)}",
        ]
        origin = begun_from(self.runs[0])  # that of all
        notes += [f"begun from: {words_of(origin)}"] if origin else []
        floor = floor_words(self.recipe, self.runs)
        return (*notes, *([floor] if floor else []), *([] if self.further is None else [self.further.words]))

    def to_markdown(self) -> str:
        """Return it as a page."""
        notes = [f"- {note}" for note in self.notes]
        table = markdown(self.rows, head_for(self.recipe))
        return "\n".join([f"# {self.title}", "", self.recipe.source, "", *table, "", *notes, ""])

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return {
            "recipe": self.recipe.name,
            "digest": self.recipe.digest(),
            "source": self.recipe.source,
            "changed": changed_before_training(self.recipe),
            "seeds": list(self._seeds),
            "runs": [str(each.run.path) for each in self.runs],
            "begun_from": begun_from(self.runs[0]),
            "table": [row.to_dict() for row in self.rows],
            "photos": [photos.to_dict() for photos in self.photos],
            "answers": None if self.answered is None else ANSWERS,
            "better": None if self.further is None else self.further.to_dict(),
            "figures": list(self.figures),
            "tables": list(self.tables),
            "folder": str(self.folder),
        }

    @property
    def _seeds(self) -> range:
        return range(self.recipe.seed, self.recipe.seed + len(self.runs))
