"""The page of a run: whole, alone, safe against foreign text, and honest about what it lacks."""

import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

from hostile_names import HOSTILE, PLAIN, QUOTED
from retinula import extras, inspection
from retinula.cli import main
from retinula.datasets.reading import SplitName
from retinula.errors import InputError
from retinula.evaluation import run_data
from retinula.evaluation.answered import save_answered
from retinula.evaluation.asked import Asked
from retinula.evaluation.caution import caution
from retinula.evaluation.embedding import map_embedding
from retinula.evaluation.findings import Inspection
from retinula.evaluation.label_errors import LabelError, LabelErrors
from retinula.evaluation.learned import LearnedPictures
from retinula.evaluation.measuring import evaluate
from retinula.evaluation.results import ClassificationResult
from retinula.evaluation.robustness import Robustness
from retinula.evaluation.run_data import OwnPictures
from retinula.images import Images, ImageSet
from retinula.metrics import confusion_matrix
from retinula.pictures.equal import Digests, digests_of
from retinula.plots.figure import GREY, SERIES
from retinula.recipe.sections import Augmentation, Claim, Evaluation, Objective
from retinula.report import contents as gathering
from retinula.report import reasons
from retinula.report.answers import DRAWN, LISTED, TABLED, answers_part
from retinula.report.contents import Contents, gather
from retinula.report.doubts import LabelsPart, labels_part
from retinula.report.grid import grid
from retinula.report.page import MOST_BYTES, commands, environment, render, write_report
from retinula.report.reconstruction import ReconstructionPart
from retinula.report.sheet import Sheet
from retinula.report.spoilt import spoilt_part
from retinula.report.training import training_part
from retinula.reproduction.table import Row
from retinula.runs.run import Run
from retinula.text.words import sureness
from retinula.trained import model_file
from retinula.trained.model_file import Model


class Page(HTMLParser):
    """Gathers tags with their attributes, and the text; what only isolates a name or lets it break parts no words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = [""]
        self.parts = True
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.parts = tag not in ("bdi", "wbr")

    def handle_endtag(self, tag: str) -> None:
        self.parts = tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self.parts:
            self.text.append("")
        self.text[-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_a_page_is_whole_alone_and_of_one_piece(written: tuple[str, Contents]) -> None:
    text, contents = written
    assert contents.answers is not None
    result = contents.answers.result
    assert len(text.encode()) < MOST_BYTES
    page = Page(text)
    # Nothing is fetched from anywhere, and nothing may be.
    assert not re.search(r"https?://|//\w+\.\w|@import", text.split("<body>")[0])
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base")
        assert not {"src", "srcset", "action", "background"} & attributes.keys(), tag
        assert not [name for name in attributes if name.startswith("on")]
        assert not attributes.get("href") or (attributes["href"] or "").startswith("#")
    assert all(address.startswith("data:image/jpeg;base64,") for address in re.findall(r"url\(([^)]*)\)", text))
    policy = next(each for each in page.named("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy["content"] or "")
    targets = {attributes.get("id") for _, attributes in page.tags}
    links = [(attributes["href"] or "")[1:] for attributes in page.named("a")]
    assert len(links) > 8
    assert set(links) <= targets
    low, high = result.accuracy_interval
    assert f"{result.num_correct} of {result.num_images} test pictures are right" in page.words
    assert f"{100 * low:.1f}" in page.words
    assert f"{100 * high:.1f}" in page.words


def test_foreign_text_stays_text(written: tuple[str, Contents]) -> None:
    page = Page(written[0])
    assert len(page.named("script")) == 2, "the data of the cells, and the page's own script"
    assert not page.named("img")
    assert HOSTILE in page.words
    assert " ".join(QUOTED.split()) in page.words, "an expression in a name is not computed"
    data = json.loads(re.findall(r'<script type="application/json" id="cells">(.*?)</script>', written[0])[0])
    assert data["classes"] == [HOSTILE, QUOTED, PLAIN]


def test_a_name_keeps_the_order_of_what_stands_around_it_and_may_break(written: tuple[str, Contents]) -> None:
    bear = "\u062f\u0628_\u0628"  # written right to left
    filters = environment().filters
    assert filters["name"](f"{bear}<b>") == f"<bdi>{bear.replace('_', '_<wbr>')}&lt;b&gt;</bdi>"
    answers = written[1].answers
    assert answers is not None
    renamed = replace(answers.result, classes=(bear, *answers.result.classes[1:]))
    part = answers_part(renamed, np.zeros((31, 1, 8, 8), dtype=np.uint8), Sheet((8, 8)))
    text = render(replace(written[1], answers=part)).split("<script")[0]
    shown = re.sub(r'"[^"]*"', "", text).replace("_<wbr>", "_")  # attributes hold text alone
    assert shown.count(bear) == shown.count(f"<bdi>{bear}</bdi>") > 5
    assert bear in Page(text).words


def test_tables_can_be_gone_through_without_a_mouse_and_say_of_what_their_heads_are(
    written: tuple[str, Contents],
) -> None:
    page = Page(written[0])
    wide = [each for each in page.named("div") if each.get("class") == "wide"]
    assert len(wide) >= 3
    assert all((each.get("tabindex"), each.get("role")) == ("0", "region") for each in wide)
    assert all(each.get("aria-label") for each in wide)
    assert {each.get("scope") for each in page.named("th")} <= {"row", "col"}


def test_every_cell_opens_the_pictures_behind_it(written: tuple[str, Contents]) -> None:
    text, contents = written
    assert contents.answers is not None
    result = contents.answers.result
    data = json.loads(re.findall(r'id="cells">(.*?)</script>', text)[0])
    cells = {attributes.get("data-cell") for attributes in Page(text).named("button")} - {None}
    filled = {f"{true}-{named}" for true, named in result.confusion.nonzero().tolist()}
    assert cells == filled == data["cells"].keys()
    for key, shown in data["cells"].items():
        true, named = map(int, key.split("-"))
        assert len(shown) == min(data["counts"][key], 24) or true != named
        probabilities = [float(result.probabilities[index].max()) for _, index, _ in shown]
        assert probabilities == sorted(probabilities, reverse=True)
        assert [sure for _, _, sure in shown] == [sureness(each) for each in probabilities]
        for _, index, _ in shown:
            assert (int(result.labels[index]), int(result.predicted[index])) == (true, named)


def test_mistakes_come_with_reasons_and_a_leak_is_named(written: tuple[str, Contents]) -> None:
    text, contents = written
    assert contents.answers is not None
    assert contents.reasons is not None
    result = contents.answers.result
    sure = result.probabilities.max(dim=1).values.numpy()
    wrong = np.flatnonzero((result.predicted != result.labels).numpy())
    assert len(wrong) >= 4
    assert [one.index for one in contents.reasons.mistakes] == sorted(wrong.tolist(), key=lambda i: (-sure[i], i))[:24]
    assert all(len(one.maps) == 2 for one in contents.reasons.mistakes)
    assert len(contents.reasons.examples) == 3
    assert all(len(one.maps) == len(contents.reasons.methods) == 5 for one in contents.reasons.examples)
    assert contents.duplicates is not None
    assert contents.duplicates.number == 1
    assert contents.duplicates.shown[0].index == 30
    assert "1 of the 31 pictures asked about is equal, pixel by pixel" in Page(text).words
    assert "31 test pictures, of which 1 is equal, pixel by pixel, to one that it learned from, it is right" in (
        Page(text).words
    )
    assert len(result.surest_mistakes(2)) == 2


def test_a_map_in_which_nothing_was_found_says_so(at_hand: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(model: Model, seen: Images, targets: Any, method: str) -> Any:
        return np.full((len(seen), 8, 8), method != "gradcam" and targets[0] >= 0, dtype=np.float32)

    monkeypatch.setattr(reasons, "attribute", found)
    text = render(gather(at_hand))
    assert text.count("<small>nothing found</small>") == 3, "Grad-CAM of three examples"
    assert ": nothing found" in text
    assert "<small>for the answer</small><small>for the truth</small>" in text
    monkeypatch.setattr(reasons, "attribute", lambda model, seen, *_: np.zeros((len(seen), 8, 8), dtype=np.float32))
    text = render(gather(at_hand))
    assert text.count("<small>nothing found</small>") == 15
    assert "<small>for the answer: nothing found</small><small>for the truth: nothing found</small>" in text


def test_the_colour_of_a_covered_place_is_told(written: tuple[str, Contents]) -> None:
    assert "when a patch of the mean colour covers a place" in Page(written[0]).words
    assert written[1].reasons is not None
    grey = replace(written[1], reasons=replace(written[1].reasons, colour="a middle grey"))
    assert "the difference to a picture of a middle grey; red" in Page(render(grey)).words


def test_of_pictures_that_are_cut_it_is_told_what_the_network_sees(written: tuple[str, Contents]) -> None:
    assert "All have the size at which the network gets them." in Page(written[0]).words
    recipe = written[1].recipe
    cut = recipe.model_copy(update={"inputs": recipe.inputs.model_copy(update={"crop": (4, 6)})})
    said = Page(render(replace(written[1], recipe=cut))).words
    assert "Of each the network sees the middle 6 x 4 pixels." in said
    assert "All have the size" not in said


def test_of_very_many_classes_only_what_can_be_opened_has_pictures(written: tuple[str, Contents]) -> None:
    number = DRAWN + 1
    labels = torch.arange(2 * number) % number
    answers = torch.where(torch.arange(2 * number) < number, labels, (labels + 1) % number)
    logits = torch.nn.functional.one_hot(answers, number).float()
    asked: dict[str, Any] = {
        "labels": labels,
        "logits": logits,
        "probabilities": logits,
        "confusion": confusion_matrix(answers, labels, number),
        "classes": tuple(f"class {place}" for place in range(number)),
        "num_images": 2 * number,
    }
    assert written[1].answers is not None
    result = replace(written[1].answers.result, **asked)
    sheet = Sheet((8, 8))
    part = answers_part(result, np.zeros((2 * number, 1, 8, 8), dtype=np.uint8), sheet)
    assert part.pictures.keys() == {f"{cell.true}-{cell.answer}" for cell in part.commonest}
    assert len(part.pictures) == len(sheet) == LISTED


def answers_of(confusion: torch.Tensor, like: ClassificationResult, classes: tuple[str, ...]) -> ClassificationResult:
    """Answers that are counted so."""
    labels, answers = torch.cartesian_prod(*2 * [torch.arange(len(classes))]).T.repeat_interleave(
        confusion.flatten(), dim=1
    )
    logits = torch.nn.functional.one_hot(answers, len(classes)).float()
    return replace(
        like,
        labels=labels,
        logits=logits,
        probabilities=logits,
        confusion=confusion,
        classes=classes,
        num_images=len(labels),
    )


@pytest.mark.parametrize(("mistakes", "worst"), [(8, 0.4), (2, 0.1), (1, 0.05), (0, 0.05)])
def test_what_is_mistaken_is_coloured_by_the_largest_share(
    written: tuple[str, Contents], mistakes: int, worst: float
) -> None:
    like = written[1].answers
    assert like is not None
    confusion = torch.diag(torch.tensor([20, 20, 20]))
    confusion[0, 0], confusion[0, 1] = 20 - mistakes, mistakes
    confusion[2, 2], confusion[2, 0] = 19, 1
    result = answers_of(confusion, like.result, like.classes)
    part = answers_part(result, np.zeros((60, 1, 8, 8), dtype=np.uint8), Sheet((8, 8)))
    assert part.worst == worst
    strengths = [[cell.strength for cell in row] for row in part.matrix]
    assert strengths[0] == pytest.approx([(20 - mistakes) / 20, mistakes / 20 / worst, 0])
    assert strengths[2] == pytest.approx([0.05 / worst, 0, 0.95])
    said = Page(render(replace(written[1], answers=part))).words
    assert f"right 0 % 100 % taken for another 0 % {100 * worst:.0f} %" in said


def test_a_matrix_of_many_classes_names_them_and_has_a_scale(written: tuple[str, Contents]) -> None:
    like, number = written[1].answers, TABLED + 10
    assert like is not None
    names = (*(f"kind {place}" for place in range(number - 1)), "a <b>name</b> that is too long to be written")
    confusion = torch.diag(torch.full((number,), 10))
    confusion[3, 3], confusion[3, 7] = 6, 4
    result = answers_of(confusion, like.result, names)
    part = answers_part(result, np.zeros((10 * number, 1, 8, 8), dtype=np.uint8), Sheet((8, 8)))
    assert part.matrix == ()
    text = render(replace(written[1], answers=part))
    drawing = re.search(r'<svg class="dots".*?</svg>', text, re.DOTALL)
    assert drawing is not None
    page, drawn = Page(drawing[0]), grid(names)
    assert len(page.named("title")) == 2 * len(drawn.names)
    assert [page.text.count(words) for words in (names[0], names[-1], "a <b>name</b> that is t\u2026")] == [4, 2, 2]
    fields = {each["data-cell"]: each for each in page.named("rect") if "data-cell" in each}
    assert len(fields) == number + 1
    wrong = fields["3-7"]
    assert (wrong["class"], float(wrong["fill-opacity"] or 0)) == ("wrong", 1), "the commonest has the whole colour"
    assert (wrong["x"], wrong["y"]) == (str(drawn.start + 7 * drawn.field), str(drawn.start + 3 * drawn.field))
    assert float(fields["3-3"]["fill-opacity"] or 0) == pytest.approx(0.15 + 0.85 * 0.6)
    said = Page(text).words
    assert "A click opens the pictures behind a field" in said
    assert "right 0 % 100 % taken for another 0 % 40 %" in said


def test_a_run_below_a_folder_whose_name_is_no_text_has_a_page(at_hand: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(at_hand.path, tmp_path / os.fsdecode(b"caf\xe9") / "run")))
    assert "/caf\\udce9/run" in write_report(run)[0].read_text()


def test_what_is_missing_leaves_a_sentence(at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    file, contents = write_report(at_hand, tmp_path / "page.html")
    assert contents.reasons is not None
    assert not any(one.maps for one in contents.reasons.mistakes)
    assert Page(file.read_text()).words.count("pip install 'retinula[explain]'") == 2

    def gone(run: Run, progress: object = None) -> dict[str, ImageSet]:
        raise InputError("the test pictures <b>are gone</b>")

    monkeypatch.setattr(gathering, "find_own", gone)
    file, contents = write_report(at_hand, tmp_path / "without.html")
    page = Page(file.read_text())
    assert contents.answers is None
    assert "was not asked about any pictures: the test pictures <b>are gone</b>." in page.words
    assert "The training pictures are not at hand" in page.words
    assert page.named("polyline"), "the curves are there all the same"


def test_a_page_is_not_replaced_by_one_without_pictures(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    page = copy.path / "report.html"
    page.write_text("all that is known")
    what = "mine: the training pictures have changed since it began"
    changed: dict[SplitName, str] = {"train": what, "test": f"{what}, and the test pictures, too"}
    monkeypatch.setattr(gathering, "find_own", lambda *_: OwnPictures("made", {}, changed))
    assert _called(monkeypatch, str(copy.path)) == 2
    said = capsys.readouterr().err
    assert said.count("the test pictures, too; ") == said.count("\n") == 1
    assert f"{page} stays as it is: for a page without pictures name a new file, with --out FILE" in said
    assert "--data" not in said
    assert page.read_text() == "all that is known"
    assert _called(monkeypatch, str(copy.path), "--out", str(tmp_path / "new.html")) == 0
    assert capsys.readouterr().err == f"left out: {what}, and the test pictures, too\n", "once, not for each part"


def test_with_the_test_pictures_of_then_a_page_can_do_without_the_others(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = vars(gathering)["find_own"](at_hand).splits
    only = OwnPictures("made", {"test": sets["test"]}, {"train": "the training pictures have changed"})
    monkeypatch.setattr(gathering, "find_own", lambda *_: only)
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    file = tmp_path / "page.html"
    file.write_text("an older page")
    contents = write_report(at_hand, file)[1]
    assert contents.answers is not None
    assert contents.missing == {"train": "the training pictures have changed"}
    assert "The training pictures are not at hand: the training pictures have changed." in Page(file.read_text()).words


def test_validation_pictures_do_not_stand_in_for_test_pictures_that_have_changed(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = vars(gathering)["find_own"](at_hand).splits
    only = OwnPictures("made", {"train": sets["train"], "validation": sets["test"]}, {"test": "they have changed"})
    monkeypatch.setattr(gathering, "find_own", lambda *_: only)
    contents = write_report(at_hand, tmp_path / "page.html")[1]
    assert contents.answers is None
    assert contents.missing == {"measured": "they have changed"}


def test_validation_pictures_are_told_to_be_these_whether_or_not_some_were_learned(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    sets = vars(gathering)["find_own"](at_hand).splits
    for number, told in (
        (31, "to one that it learned from (there are no test pictures; these may have helped"),
        (30, "30 validation pictures (there are no test pictures; these were not learned from, but"),
    ):
        own = OwnPictures("made", {"train": sets["train"], "validation": sets["test"].take(np.arange(number))}, {})
        monkeypatch.setattr(gathering, "find_own", lambda *_, own=own: own)
        assert told in Page(write_report(at_hand, tmp_path / "page.html")[0].read_text()).words


def test_of_pictures_left_out_an_earlier_version_kept_the_number_alone(at_hand: Run, tmp_path: Path) -> None:
    report = at_hand.report()
    report["data"]["num_skipped"] = 7
    report["data"].pop("skipped", None)
    at_hand.report_file.write_text(json.dumps(report))
    page = Page(write_report(at_hand, tmp_path / "page.html")[0].read_text(encoding="utf-8"))
    assert "left out 7" in page.words


def test_pictures_are_named_by_their_files(inspected: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    sets: dict[SplitName, ImageSet] = {
        split: replace(images, sources=[f"a/long/way/to/{split}/{HOSTILE}/{n}.png" for n in range(len(images))])
        for split, images in vars(gathering)["find_own"](inspected).splits.items()
    }
    monkeypatch.setattr(gathering, "find_own", lambda *_: OwnPictures("made", sets, {}))
    report = inspected.report()
    report["data"] |= {"num_skipped": 101, "skipped": [{"source": f"{HOSTILE}/bad.png", "reason": "it is empty"}]}
    inspected.report_file.write_text(json.dumps(report))
    file, contents = write_report(inspected, tmp_path / "page.html")
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.named("img")
    short = [f"\u2026{'a/long/way/to/test/' + HOSTILE + f'/{n}.png'}"[-39:] for n in range(31)]
    learned = f"a/long/way/to/train/{HOSTILE}/0.png"
    assert contents.reasons is not None
    for index in (contents.reasons.mistakes[0].index, 3):  # a mistake, and a label that is likely wrong
        assert f"picture {index} \u2026{short[index]}" in page.words
    assert f"30 \u2026{short[30]} : {HOSTILE}; learned as 0 \u2026{learned[-39:]}" in page.words
    assert f"30 \u2026{short[30]} and 0 \u2026{learned[-39:]} (learned from): equal" in page.words
    titles = {attributes.get("title") for attributes in page.named("span")}
    assert {f"a/long/way/to/test/{HOSTILE}/3.png", learned} <= titles
    for name in ("cells", "map-data"):
        files = json.loads(re.findall(rf'id="{name}">(.*?)</script>', text)[0])["files"]
        assert files["30"] == f"\u2026{short[30]}"
    assert f"{HOSTILE}/bad.png: it is empty These are the first 1 of 101" in page.words


def test_a_report_that_is_not_whole_is_refused(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    report = at_hand.report()
    for broken, message in (
        ({}, "no 'run' in it"),
        (report | {"training": {"kept": "last"}}, r"no 'training\.epochs' in it"),
    ):
        copy.report_file.write_text(json.dumps(broken))
        with pytest.raises(InputError, match=message):
            write_report(copy)
    copy.report_file.unlink()
    with pytest.raises(InputError, match="not finished"):
        write_report(copy)


@pytest.mark.parametrize("freeze", [True, False])
def test_what_was_trained_is_told_from_what_was_taken_over(
    freeze: bool, at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    claims = (Claim(metric="accuracy", value=0.9, tolerance=0.1),)
    begun = {"weights": "low.safetensors", "freeze": freeze}
    copy.recipe_file.write_text(at_hand.recipe().changed(model=begun, claims=claims, source="this project").to_toml())
    made = {"recipe": "digits", "seed": 0, "calibration": {"temperature": 1.5}}
    report = at_hand.report() | {"source": {"name": "low", "sha256": "0123456789abcdef", "provenance": made}}
    copy.report_file.write_text(json.dumps(report))
    page = Page(write_report(copy)[0].read_text(encoding="utf-8"))
    number = f"{report['parameters']:,}"
    head = Model.load(copy.path).network.get_submodule("head")
    trained = sum(weights.numel() for weights in head.parameters())
    lead = f"with {number} weights, trained on 60 pictures of made/train to tell 3 classes apart; it began from the"
    told = f"Weights {number} Began from low (recipe digits, seed 0), SHA-256 0123456789ab Recipe"
    if freeze:
        lead = f"with {number} weights, of which {trained} were trained on 60 pictures of made/train to tell 3 classes "
        told = told.replace(number, f"{number}, of which {trained} were trained")
        assert "apart; the others come from low ." in page.words
    assert lead in page.words
    assert told in page.words
    assert "Beside the figures it aims at Set by: this project. figure aim ± tolerance measured holds?" in page.words
    published = at_hand.recipe().changed(claims=claims, source="a work")
    copy.recipe_file.write_text(published.to_toml())
    page = Page(write_report(copy)[0].read_text(encoding="utf-8"))
    said = "Beside the published figures Published in: a work. figure published ± tolerance measured holds?"
    assert said in page.words


def test_all_computers_are_told_that_it_was_trained_on(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    report = at_hand.report()
    alone = dict(training_part(copy).facts)
    report["went_on"] = [{"machine": {"processor": "Another", "cores": 1}, "versions": report["versions"]}]
    copy.report_file.write_text(json.dumps(report))
    facts = dict(training_part(copy).facts)
    assert facts["Computer"] == f"{alone['Computer']}; then Another, 1 core"
    assert facts["Programs"] == alone["Programs"]
    del report["went_on"]  # as earlier versions wrote it
    copy.report_file.write_text(json.dumps(report))
    assert dict(training_part(copy).facts) == alone | {"Folder": facts["Folder"]}


def test_a_last_epoch_that_was_cut_short_is_not_told_as_whole(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    rows = at_hand.metrics()
    last = rows[-1]["epoch"]
    assert training_part(copy).finding.startswith(f"During the last of {last} epochs the mean loss")
    assert dict(training_part(copy).facts)["Epochs"] == str(last)
    rows[-1]["step"] -= 1
    copy.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert training_part(copy).finding.startswith(
        f"During the last of {last} epochs, cut short at step {rows[-1]['step']}, the mean loss"
    )
    assert dict(training_part(copy).facts)["Epochs"] == f"{last}, the last cut short"
    rows[0]["step"] -= 1  # and of a training of fewer steps than one epoch has
    copy.metrics_file.write_text(json.dumps(rows[0]) + "\n")
    report = at_hand.report()
    report["training"]["epochs"] = 1
    copy.report_file.write_text(json.dumps(report))
    found = training_part(copy)
    assert found.finding.startswith(f"During the only epoch, cut short at step {rows[0]['step']}, the mean loss")
    assert dict(found.facts)["Epochs"] == "1, cut short"


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ((0.5, 0.4), ". On the validation pictures it is 0.4 at the end."),
        ((0.3, 0.4), ". On the validation pictures it is 0.4 at the end; the lowest was 0.3 in epoch 1."),
        ((0.3, None), ". On the validation pictures it is 0.3 in epoch 1, the last in which it is finite."),
        ((None, None), ". No pictures were set apart, so there is no curve of pictures it did not learn from."),
    ],
)
def test_what_has_no_right_answers_is_told_by_its_loss(
    at_hand: Run, tmp_path: Path, losses: tuple[float | None, ...], words: str
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    rows = [
        at_hand.metrics()[0]
        | {"epoch": epoch, "step": 2 * epoch, "loss": 0.25, "accuracy": None, "val_loss": loss, "val_accuracy": None}
        for epoch, loss in enumerate(losses, start=1)
    ]
    copy.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = at_hand.recipe().model_copy(update={"objective": Objective(), "augment": Augmentation()})
    copy.recipe_file.write_text(recipe.to_toml())
    assert training_part(copy).finding == (
        f"During the last of 2 epochs the mean loss (cross entropy) on the training pictures was 0.25{words}"
    )


def test_a_training_loss_of_another_measure_is_not_set_against_that_of_validation(at_hand: Run) -> None:
    part = training_part(at_hand)
    assert part.finding.startswith(
        "During the last of 6 epochs the mean loss (cross entropy, with label smoothing 0.1) on the training pictures "
        "as it was given them was "
    )
    assert part.finding.endswith(
        "The training loss alone counts label smoothing 0.1, which mostly makes it higher: it cannot be compared with "
        "the validation loss."
    )
    assert [line.words for line in part.charts[0].lines] == ["training, with label smoothing 0.1", "validation"]


def test_the_axis_of_right_answers_ends_where_all_are_right(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    rows = [row | {"accuracy": 1.0, "val_accuracy": 1.0} for row in at_hand.metrics()]
    copy.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (chart,) = (each for each in training_part(copy).charts if each.title == "Right answers")
    assert [words for _, words in chart.y_ticks] == ["80", "100"]


@pytest.mark.parametrize(
    ("number", "words", "num_points"), [(31, "batch", 31), (121, "mean of neighbouring batches", 120)]
)
def test_losses_are_called_means_where_they_are(
    at_hand: Run, tmp_path: Path, number: int, words: str, num_points: int
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    lines = [f"{step},1,{1 / step},0.001,0.1" for step in range(1, number + 1)]
    copy.steps_file.write_text("\n".join(["step,epoch,loss,learning_rate,seconds", *lines, ""]))
    (chart,) = (each for each in training_part(copy).charts if each.title == "Loss by step (cross entropy)")
    assert chart.lines[0].words == words
    assert len(chart.lines[0].corners.split()) == num_points


def test_a_number_is_not_parted_from_its_unit(at_hand: Run, written: tuple[str, Contents]) -> None:
    contents = written[1]
    assert contents.answers is not None
    guessed = replace(contents.answers.result, confusion=torch.full((3, 3), 3))
    training = replace(
        contents.training,
        finding="6.0 % of them, 3 dB, and 5 percent",
        measurements=(("other", "81.2 % of 31"),),
        claims=(Row("accuracy", "90.0 %", "81.2 %", "no, worse", "it has 5.0 % too few", 0.812, None, (0.812,)),),
    )
    labels = LabelsPart(1, 31, 0, by_model=True, by_head=False, surely=True, shown=())
    changed = replace(contents, training=training, answers=replace(contents.answers, result=guessed), labels=labels)
    page = render(changed)
    said = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r".{9}\d (?:%|dB).{9}", said) == []
    assert "6.0\u00a0% of them, 3\u00a0dB, and 5 percent" in said
    assert re.search(r"With \d+\.\d\u00a0% of ", said), "the caution"


def test_the_best_epoch_that_is_told_is_the_one_that_is_kept(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    rows = [
        row | {"val_loss": loss, "val_accuracy": accuracy}
        for row, (loss, accuracy) in zip(at_hand.metrics(), [(0.3, 0.9), (0.2, 0.9), (0.4, 0.8)], strict=False)
    ]
    copy.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "80.0 % are right at the end; the best was epoch 2 with 90.0 %" in training_part(copy).finding


def test_classes_have_the_colours_that_they_have_in_figures(written: tuple[str, Contents]) -> None:
    by_day = re.findall(r"--c\d:(#\w+)", written[0])[: len(SERIES) + 1]
    assert by_day == [colour.lower() for colour in (*SERIES, GREY)]
    by_night = re.findall(r"--ink:(#\w+)|--c6:(#\w+)", written[0].split("prefers-color-scheme:dark")[1])
    assert by_night[0][0] != by_night[1][1], "a rim of the ink's colour around a wrong answer is seen on every mark"


def test_what_a_deep_evaluation_found_is_shown(inspected: Run) -> None:
    file, contents = write_report(inspected)
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert contents.missing == {}
    assert "On 31 pictures it is right for 90.0 % as they are and for 60.0 % on average" in page.words
    assert "on average once they are spoilt, in 2 ways. Fog costs most: 30.0 % are left. Each answer is a" in page.words
    assert contents.spoilt is not None
    assert [row.kind for row in contents.spoilt.rows] == ["fog", "of another version"]
    assert all(cell.place < 0 for cell in contents.spoilt.rows[1].cells)
    assert len({cell.place for cell in contents.spoilt.rows[0].cells} | {contents.spoilt.place}) == 6
    assert contents.labels is not None
    assert contents.labels.shown[0].index == 3
    assert f"called {HOSTILE} (1.0 %); likely {PLAIN} (98.0 %)" in page.words
    assert contents.pairs is not None
    between, within = contents.pairs
    assert (between.number, between.exact, between.differing, between.pictures) == (2, 1, 1, 2)
    assert [one.index for one in between.shown] == [2, 30], "different labels come first"
    assert (
        "2 of the 31 pictures asked about are nearly the same as one learned from, shifted, brighter or stored anew, "
        "in 2 pairs: 1 equal in every pixel, 1 with two different labels."
    ) in page.words
    assert "No two of the pictures asked about are nearly the same." in page.words
    assert within.shown == ()
    assert "--deep" not in page.words


def test_the_map_shows_the_pictures_it_is_made_of(inspected: Run) -> None:
    file, contents = write_report(inspected)
    text = file.read_text(encoding="utf-8")
    page = Page(text)
    assert contents.answers is not None
    result = contents.answers.result
    data = json.loads(re.findall(r'id="map-data">(.*?)</script>', text)[0])
    assert data["classes"] == [HOSTILE, QUOTED, PLAIN]
    assert sorted(index for _, _, index, *_ in data["points"]) == list(range(11, 31))
    assert len({place for *_, place in data["points"]}) == 20
    for x, y, index, label, answer, _, _ in data["points"]:
        assert 0 <= x <= 640
        assert 0 <= y <= 520
        assert (label, answer) == (int(result.labels[index]), int(result.predicted[index]))
    marks = [each for each in page.named("use") if "x" in each]
    assert [(float(each["x"] or 0), float(each["y"] or 0)) for each in marks] == [
        (x, y) for x, y, *_ in data["points"]
    ], "drawn in the order of the data"
    wrong = [each.get("class") == "wrong" for each in marks]
    assert wrong == [label != answer for _, _, _, label, answer, *_ in data["points"]]
    assert len([each for each in page.named("button") if "data-kind" in each]) == 3


def test_a_map_of_equal_features_says_so(inspected: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = map_embedding(np.ones((31, 3), dtype=np.float32), np.arange(31))
    found = json.loads(inspected.inspection_file.read_text()) | Inspection(embedding=placed).to_dict()
    inspected.inspection_file.write_text(json.dumps(found))
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    words = Page(write_report(inspected)[0].read_text()).words
    assert "put it. They are the same for all of them, so that all lie at one place" in words
    assert "near each other" not in words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "other/test"}, "tells of other pictures"),
        ({"fingerprint": "0" * 64}, "tells of other pictures"),
        ({"robustness": 3}, "is not whole"),
        ({"embedding": {"method": "PCA", "indices": [99], "points": [[0, 0]]}}, "names pictures that there are not"),
    ],
)
def test_findings_that_do_not_belong_here_are_left_out_and_it_is_said(
    inspected: Run, change: dict[str, Any], message: str
) -> None:
    file = inspected.inspection_file
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    page, contents = write_report(inspected)
    assert message in contents.missing["inspected"]
    assert re.search("look again with: retinula report .* --deep$", contents.missing["inspected"])
    assert contents.unmeasured == (), "what is wrong has been said"
    assert "\n" not in contents.missing["inspected"]
    said = Page(page.read_text()).words
    assert said.count(message) == 3
    assert "Most confident mistakes" in said


def test_findings_among_other_splits_are_none_among_these(inspected: Run) -> None:
    file = inspected.inspection_file
    found = json.loads(file.read_text())
    file.write_text(json.dumps({"validation": found | {"split": "validation"}}))
    page, contents = write_report(inspected)
    assert contents.missing == {}
    assert contents.labels is None
    assert Page(page.read_text()).words.count(f"retinula report {inspected.path.resolve()} --deep") == 4
    file.write_text(json.dumps({"validation": found | {"split": "validation"}, "test": found}))
    assert write_report(inspected)[1].labels is not None


def test_photos_are_told_with_their_number_interval_and_way(at_hand: Run, tmp_path: Path) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    photos = {"resize": "squash", "views": "the whole", "resample": "bicubic", "correct": 53, "total": 59}
    spoilt = {
        "accuracy": 0.5,
        "num_correct": 475_000,
        "num_images": 950_000,
        "accuracy_low": 0.49,
        "accuracy_high": 0.51,
    }
    copy.report_file.write_text(json.dumps(at_hand.report() | {"photos": photos, "evaluations": {"cifar10-c": spoilt}}))
    assert training_part(copy).measurements == (
        ("cifar10-c", "50.00 % of 950,000 right (49.0 to 51.0 %)"),
        ("photos", "53 of 59 right, 89.8 % (79.5 to 95.3 %), seen by squash, the whole, bicubic"),
    )


@pytest.mark.parametrize(
    ("tta", "words"),
    [
        ({}, ""),
        ({"tta": "none"}, ""),
        ({"tta": "mirror"}, ", answers averaged over mirrored pictures"),
        ({"tta": "mirror-shift"}, ", answers averaged over mirrored and shifted pictures"),
        ({"tta": "of a later version"}, ", answers averaged over several views"),
    ],
)
def test_of_what_was_measured_it_is_told_how_answers_were_averaged(
    at_hand: Run, tmp_path: Path, tta: dict[str, str], words: str
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    measured = {"accuracy": 0.5, "num_correct": 50, "num_images": 100} | tta
    copy.report_file.write_text(json.dumps(at_hand.report() | {"evaluations": {"made/test": measured}}))
    assert training_part(copy).measurements == (("made/test", f"50.00 % of 100 right (40.4 to 59.6 %){words}"),)


@pytest.mark.parametrize(
    ("accuracy", "held_out", "number", "told"),
    [
        (1.0, 0.8, 1000, True),
        (0.93, 0.8, 10, False),  # of ten, eight right say no more than 49 to 94 %
        (1.0, 0.95, 10_000, False),  # a small one, however sure
        (0.8, 1.0, 1000, False),
        (1.0, 0.85, None, False),  # nobody knows of how many
    ],
)
def test_a_gap_is_only_pointed_out_where_it_is_no_chance(
    at_hand: Run, tmp_path: Path, accuracy: float, held_out: float, number: int | None, told: bool
) -> None:
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    rows = [row | {"accuracy": accuracy, "val_accuracy": held_out} for row in at_hand.metrics()]
    copy.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = at_hand.report()
    report["data"]["num_validation_images"] = number
    copy.report_file.write_text(json.dumps(report))
    assert ("much better on pictures it has learned from" in training_part(copy).finding) == told


def test_charts_are_told_in_words_and_name_their_loss(written: tuple[str, Contents]) -> None:
    text, contents = written
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = [each for each in page.named("svg") if each.get("role") == "img" and "aria-describedby" in each]
    assert len(drawings) >= 3
    assert {each["aria-describedby"] for each in drawings} <= set(ids)
    assert contents.answers is not None
    marks = [each for each in page.named("line") if each.get("class") == "mark"]
    assert len(marks) == len(contents.answers.calibration.bars) + 1, "one across each bar, and one in the legend"
    assert "mean of how sure" in page.words
    loss = contents.training.charts[0]
    assert loss.title == "Loss (cross entropy)"
    assert loss.told in page.words
    assert "the mean loss (cross entropy, with label smoothing 0.1) on the training pictures" in page.words


def test_commands_of_a_reconstruction_say_what_they_do(at_hand: Run) -> None:
    for denoises, words in ((False, "Give back a photo of any size"), (True, "Take noise out of a photo of any size")):
        told = dict(commands(at_hand, "reconstruction", denoises=denoises))
        assert "--noise" not in told[words]
        assert "--noise" in told["See what it makes of noise that is added first"]


def test_a_reconstruction_names_its_measure_and_how_many_pictures_had_noise(written: tuple[str, Contents]) -> None:
    sheet = written[1].pictures
    assert sheet is not None
    noise = {"noise": 0.1, "num_images": 2000, "psnr_noised": 20.22, "psnr": 24.5}
    measures = {
        "num_images": 10_000,
        "psnr": 21.4,
        "ssim": 0.8,
        "loss": 0.574,
        "loss_floor": 0.5465,
        "code_numbers": None,
    }
    part = ReconstructionPart(measures | {"denoising": [noise]}, (("original", (0,)),), sheet)
    said = Page(render(replace(written[1], task="reconstruction", answers=None, reconstruction=part))).words
    assert "binary cross entropy 0.5740, of which a perfect copy would still have 0.5465" in said
    assert "Means over 2,000 pictures to which noise was added." in said
    assert "Give back a photo of any size" in said


def test_jpeg_is_written_as_it_is_called(written: tuple[str, Contents]) -> None:
    assert written[1].answers is not None
    result = written[1].answers.result
    measured = Robustness(31, 31, 0.9, {"jpeg": (0.5,) * 5, "fog": (0.6,) * 5})
    images = np.zeros((31, 1, 8, 8), dtype=np.uint8)
    part = spoilt_part(measured, result, images, Sheet((8, 8)))
    assert [row.kind for row in part.rows] == ["JPEG", "fog"]
    assert part.chart.lines[1].words == "JPEG, which costs most"


def test_what_training_began_with_is_shown(written: tuple[str, Contents]) -> None:
    text, contents = written
    assert contents.fed is not None
    assert (contents.fed.size, len(contents.fed.pictures)) == (30, 12)
    words = [words for one in contents.fed.pictures for words in one.words]
    assert any(each.startswith("moved 1") for each in words)
    assert all(each in Page(text).words for each in words)


@pytest.mark.parametrize(
    ("augment", "words", "num_fed"),
    [
        (Augmentation(cutmix=1.0), "No picture was changed by itself, but two at a time were mixed", 12),
        (Augmentation(mixup=0.2, flip="random"), "flipped left to right. Two pictures are also mixed", 12),
        (Augmentation(probability=0.5), "this training distorts none of them", 0),
    ],
)
def test_what_training_does_to_pictures_is_told_as_it_is(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: Augmentation, words: str, num_fed: int
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    copy = Run(tmp_path / "copy")
    shutil.copytree(at_hand.path, copy.path)
    copy.recipe_file.write_text(at_hand.recipe().model_copy(update={"augment": augment}).to_toml())
    file, contents = write_report(copy)
    text = file.read_text(encoding="utf-8")
    said = Page(text).words
    assert words in said
    assert ("One picture as training shows it" in said) == (contents.distorted is not None) == ("flipped" in words)
    assert ("this training distorts none" in said) == ("distorts none" in words)
    assert len(contents.fed.pictures if contents.fed else ()) == num_fed
    assert ("What training began with" in said) == (".fedto{" in text) == bool(num_fed)
    assert ": ." not in said


def test_every_command_on_the_page_is_one_that_exists(at_hand: Run, written: tuple[str, Contents]) -> None:
    lines = [line for text in Page(written[0]).text for line in text.splitlines() if line.startswith("retinula ")]
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line)[1:]
        group = typer.main.get_command(main.app)
        assert hasattr(group, "commands")
        assert group.commands[words[0]].make_context("retinula", words[1:]).params
    assert Model.load(at_hand.path).classes == (HOSTILE, QUOTED, PLAIN)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mine", "--out", "."), 2, ". is a folder; name a file, as in --out report.html"),
        (("other",), 2, "no run 'other'"),
        (("mine", "--out", "/proc/no/page.html"), 2, "cannot write"),
    ],
)
def test_wrong_use_is_one_line(
    at_hand: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(at_hand.path.parent.parent)
    assert _called(monkeypatch, *words) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not said.out


def test_the_command_says_what_it_wrote(
    at_hand: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _called(monkeypatch, str(at_hand.path), "--out", str(tmp_path / "a.html"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(tmp_path / "a.html")
    assert told["bytes"] == (tmp_path / "a.html").stat().st_size
    assert told["split"] == "test"
    assert 0 < told["accuracy"] < 1
    assert told["missing"] == {}
    assert (told["tta"], told["plain_accuracy"]) == ("none", told["accuracy"])
    assert told["unmeasured"] == ["corruptions", "labels", "duplicates", "embedding"]


def test_the_terminal_names_what_is_not_measured_and_the_command_for_it(
    at_hand: Run,
    inspected: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    assert _called(monkeypatch, str(at_hand.path), "--out", str(tmp_path / "a page.html")) == 0
    command = f"retinula report {at_hand.path.resolve()} --deep --out '{tmp_path / 'a page.html'}'"
    assert capsys.readouterr().err == (
        "not measured: robustness against corruptions, wrong labels, near-duplicates and the map of pictures; "
        f"to measure it: {command}\n"
    )
    assert _called(monkeypatch, str(inspected.path)) == 0
    assert capsys.readouterr().err == ""


def test_deep_measures_what_is_missing_and_keeps_it_look_by_look(
    inspected: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, found = inspected.inspection_file, json.loads(inspected.inspection_file.read_text())
    pictures = vars(gathering)["find_own"](inspected).splits["test"].fingerprint()
    known = {key: found[key] for key in ("dataset", "split", "robustness", "embedding")} | {"fingerprint": pictures}
    file.write_text(json.dumps({"test": known}))

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inspection, "find_near_duplicates", stopped)
        assert _called(patch, str(inspected.path), "--deep") == 130
    command = f"retinula report {inspected.path.resolve()} --deep"
    assert f"interrupted; what was measured is kept, go on with: {command}\n" in capsys.readouterr().err
    assert not inspected.report_page.exists()
    kept = json.loads(file.read_text())["test"]
    assert kept == known | {"label_errors": kept["label_errors"]}
    with monkeypatch.context() as patch:
        patch.setattr(inspection, "measure_robustness", stopped)  # what is known is not measured again
        patch.setattr(inspection, "find_label_errors", stopped)
        assert _called(patch, str(inspected.path), "--deep", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unmeasured"] == []
    both = json.loads(file.read_text())["test"]
    assert both == kept | {"near_duplicates": both["near_duplicates"]}
    (exact,) = (pair for pair in both["near_duplicates"]["between made/test and made/train"] if pair["exact"])
    assert (exact["index"], exact["other"]) == (30, 0)
    said = Page(inspected.report_page.read_text()).words
    assert "1 of the 31 pictures asked about is nearly the same as one learned from, shifted, brighter" in said
    assert "in one pair: 1 equal in every pixel, 0 with two different labels." in said


@pytest.mark.parametrize("change", [{"fingerprint": "0" * 64}, {"robustness": 3}, {}])
def test_deep_looks_anew_where_findings_cannot_be_used_or_not_surely(
    inspected: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    found = json.loads(inspected.inspection_file.read_text())
    inspected.inspection_file.write_text(json.dumps(found | change))
    asked: list[dict[str, bool]] = []

    def looked(about: Asked, *, progress: object, **looks: bool) -> Inspection:
        asked.append(looks)
        assert about.learned.each is not None  # as `evaluate --deep` asks, which goes by it where labels are doubted
        return Inspection.from_dict(found)

    monkeypatch.setattr(gathering, "look_closer", looked)
    monkeypatch.setattr(gathering, "check_findable", lambda: None)
    _, contents = write_report(inspected, deep=True)
    assert asked == [dict.fromkeys(("corruptions", "labels", "duplicates", "embedding"), True)]
    assert (contents.missing.keys() & {"inspected"}, contents.unmeasured) == (set(), ())
    assert contents.map is not None


def test_what_deep_cannot_look_for_is_left_out_with_its_reason(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    monkeypatch.setattr(gathering, "check_findable", lambda: None)
    looks = ("labels", "duplicates", "embedding", "corruptions")
    monkeypatch.setattr(
        gathering, "look_closer", lambda *_, **__: Inspection(impossible={look: f"of {look} none" for look in looks})
    )
    digested: list[int] = []

    def counted(images: Images) -> Digests:
        digested.append(len(images))
        return digests_of(images)

    monkeypatch.setattr(run_data, "digests_of", counted)
    file, contents = write_report(at_hand, tmp_path / "page.html", deep=True)
    assert digested == [31], "what was learned of them is looked up once"
    assert contents.unmeasured == ()
    assert contents.missing == {look: f"of {look} none" for look in looks}
    words = Page(file.read_text()).words
    assert "Likely wrong labels Not looked for: of labels none." in words
    assert "Nearly the same Not looked for: of duplicates none." in words
    assert "The map is missing: of embedding none." in words
    assert "blur or darkness cost is missing: of corruptions none." in words
    assert "--deep" not in words


def test_near_duplicates_are_not_missed_where_the_training_pictures_have_gone(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    test = vars(gathering)["find_own"](at_hand).splits["test"]
    own = OwnPictures("made", {"test": test}, {"train": "mine: the training pictures have changed since it began"})
    monkeypatch.setattr(gathering, "find_own", lambda *_: own)
    asked: list[str] = []

    def looked(_: object, *, progress: object, **looks: bool) -> Inspection:
        asked.extend(name for name, wanted in looks.items() if wanted)
        return Inspection()

    monkeypatch.setattr(gathering, "look_closer", looked)
    monkeypatch.setattr(gathering, "check_findable", lambda: None)
    file, contents = write_report(at_hand, tmp_path / "page.html", deep=True)
    assert asked == ["corruptions", "labels", "embedding"] == list(contents.unmeasured)
    assert "Nearly the same Not looked for: the training pictures are not at hand" in Page(file.read_text()).words


def test_what_was_learned_along_the_way_is_told_and_not_only_the_own_training_pictures(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    run = Run(shutil.copytree(at_hand.path, tmp_path / "copy"))
    test = vars(gathering)["find_own"](at_hand).splits["test"]
    form, values = digests_of(test.images)

    def words(learned: LearnedPictures) -> str:
        learned.write(run)
        return Page(write_report(run, tmp_path / "page.html")[0].read_text()).words

    told = words(LearnedPictures({form: np.unique(values[-7:])}, ("theirs",)))
    assert "31 test pictures, of which at least 7 are equal, pixel by pixel, to one that it learned from" in told
    assert "At least 7 of the 31 pictures asked about are equal, pixel by pixel, to one learned from" in told
    assert "Shown is 1 of those that this training learned from." in told
    told = words(LearnedPictures({}, ("theirs",)))
    assert "31 test pictures that were kept away from its training" in told
    assert "Not known: which pictures the model has learned is not kept of all" in told
    monkeypatch.setattr(gathering, "find_own", lambda *_: OwnPictures("made", {"test": test}, {}))
    told = words(LearnedPictures({form: np.unique(values[-7:])}))
    assert "31 test pictures, of which 7 are equal" in told
    assert "The pictures that they were learned as are not at hand." in told
    told = words(LearnedPictures({form: np.arange(1)}))
    assert "31 test pictures that it had never seen" in told
    run.learned_file.write_bytes(b"torn")
    said: list[str] = []
    _, contents = write_report(run, tmp_path / "page.html", remark=said.append)
    assert contents.learned.number is None
    (line,) = said
    assert line.startswith(f"{run.learned_file}: not a safetensors file, or cut short (")
    assert line.endswith("): which pictures copy has learned cannot be told")


def test_deep_is_refused_where_nothing_can_be_looked_at(
    at_hand: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "page.html"
    gone = OwnPictures("made", {}, {})
    with monkeypatch.context() as patch:
        patch.setattr(gathering, "find_own", lambda *_: gone)
        with pytest.raises(InputError, match="made has no test pictures; leave --deep out for a page without pictures"):
            write_report(at_hand, file, deep=True)
    monkeypatch.setattr(gathering, "find_own", lambda *_: pytest.fail("it began"))
    with monkeypatch.context() as patch:
        patch.setattr(extras, "find_spec", lambda _: None)
        with pytest.raises(InputError, match="finding wrong labels needs"):
            write_report(at_hand, file, deep=True)
    monkeypatch.setattr(Model, "classifies", property(lambda _: False))
    with pytest.raises(InputError, match=rf"^{at_hand.path}: .* reconstructs pictures; only classifiers are"):
        write_report(at_hand, file, deep=True)
    assert not file.exists()


def test_the_headline_counts_as_the_recipe_does_and_says_by_which_looks(
    inspected: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = inspected.recipe()
    inspected.recipe_file.write_text(recipe.changed(evaluation=Evaluation(tta="mirror")).to_toml())
    looked = vars(model_file)["_averaged"]

    def averaged_otherwise(network: object, preprocess: object, batch: torch.Tensor, tta: str) -> torch.Tensor:
        logits: torch.Tensor = looked(network, preprocess, batch, "none")
        return logits if tta == "none" else torch.cat([-logits[:3], logits[3:]])  # or it could happen to be as good

    monkeypatch.setattr(model_file, "_averaged", averaged_otherwise)
    test = vars(gathering)["find_own"](inspected).splits["test"]
    averaged, single = (evaluate(inspected.path, test, split="test", tta=tta).to_dict() for tta in ("mirror", "none"))
    assert averaged["accuracy"] != single["accuracy"]
    assert _called(monkeypatch, str(inspected.path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["accuracy"], told["tta"]) == (averaged["accuracy"], "mirror")
    assert told["plain_accuracy"] == averaged["plain_accuracy"] == single["accuracy"]
    said = Page(inspected.report_page.read_text()).words
    high, low = (f"{100 * each['accuracy']:.2f} %" for each in (averaged, single))
    for words in (
        f"right for {high} , its answers averaged over mirrored pictures; a single look at each is right for {low}",
        f"{averaged['num_correct']} of 31 test pictures are right: {high}",
        "Right by single looks " + low,
        "averaged over mirrored pictures (mirror), as the recipe counts",
        "HiResCAM, of a single look, while answers are averaged",
        "which never saw it, by a single look says something else",
        "by averaged answers:",
        "Each answer is a single look, unlike above.",
        "A rim marks a wrong answer (averaged; the places are of single looks).",
        "5 methods, at a single look.",
        "Its answers are single looks here.",
    ):
        assert words in said
    assert said.count("Answers are averaged. A click") == 2
    diagonal = json.loads(re.findall(r'id="cells">(.*?)</script>', inspected.report_page.read_text())[0])["counts"]
    assert sum(count for cell, count in diagonal.items() if cell in ("0-0", "1-1", "2-2")) == averaged["num_correct"]


def test_what_was_answered_when_it_was_evaluated_is_not_asked_once_more(
    inspected: Run,
) -> None:
    model, test = Model.load(inspected.path), vars(gathering)["find_own"](inspected).splits["test"]
    result = evaluate(model, test, split="test")
    assert isinstance(result, ClassificationResult)
    turned = replace(result, logits=-result.logits)
    for averaged, expected in (("none", -result.logits), ("mirror", result.logits)):
        save_answered(inspected.answers_file("test"), model, test, replace(turned, tta=averaged))
        contents = gathering.gather(inspected)
        assert contents.answers is not None
        measured = contents.answers.result
        torch.testing.assert_close(measured.logits, expected)
    assert measured.learned is contents.learned, "of a new measurement it is known already"


def test_without_averaging_nothing_is_said_of_looks(written: tuple[str, Contents]) -> None:
    assert "averaged" not in Page(written[0].split("<script")[0]).words
    assert "single look" not in Page(written[0].split("<script")[0]).words


def test_near_chance_nothing_is_said_to_cost_most_and_the_doubts_are_doubted(inspected: Run) -> None:
    _, contents = write_report(inspected)
    answers, spoilt = contents.answers, contents.spoilt
    assert answers is not None
    assert spoilt is not None
    guessed = replace(answers.result, confusion=torch.full((3, 3), 3))
    part = spoilt_part(spoilt.measured, guessed, np.zeros((31, 1, 8, 8), dtype=np.uint8), Sheet((8, 8)))
    assert [line.words for line in part.chart.lines] == ["mean over all"]
    said = Page(render(replace(contents, answers=replace(answers, result=guessed), spoilt=part))).words
    assert "it can hardly be told from a blind guess" in caution(guessed)
    assert said.count(caution(guessed)) == 2
    assert "most:" not in said
    assert "costs most" not in said
    assert "Saturation" not in said


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("held out", "where the model, which never saw it, says"),
        ("held out, as far as is known", "where the model, which never saw it as far as is known, says"),
        ("5-fold linear head on the embeddings", "where a head trained without it says"),
        (
            "held out: 30; 5-fold linear head on the embeddings: 1",
            "where the model, which never saw it, or, where the model learned the picture, a head trained without it "
            "says",
        ),
    ],
)
def test_who_doubts_a_label_is_told(inspected: Run, method: str, words: str) -> None:
    _, contents = write_report(inspected)
    found = LabelErrors(31, method, (LabelError(3, None, "ant", "bee", 0.01, 0.98),))
    part = labels_part(found, ImageSet(np.zeros((31, 1, 8, 8), np.uint8), None, (), "zoo"), Sheet((8, 8)))
    assert f"a label is doubted {words} something else" in Page(render(replace(contents, labels=part))).words


def test_saturation_that_goes_both_ways_says_so(inspected: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)  # the maps of the reasons take long
    found = json.loads(inspected.inspection_file.read_text())
    found["robustness"]["accuracy"]["saturation"] = [0.8, 0.7, 0.6, 0.7, 0.5]
    inspected.inspection_file.write_text(json.dumps(found))
    said = Page(write_report(inspected)[0].read_text()).words
    assert (
        "Saturation takes colour away at 1 to 3 and exaggerates it at 4 and 5, which need not be harder than 3." in said
    )


@pytest.mark.parametrize(("tells", "times"), [(False, 1), (True, 0)])
def test_a_model_that_cannot_tell_the_unfamiliar_says_so_where_it_is_used(
    at_hand: Run, written: tuple[str, Contents], tells: bool, times: int
) -> None:
    assert written[1].tells_unfamiliar == (Model.load(at_hand.path).familiarity is not None)
    said = Page(render(replace(written[1], tells_unfamiliar=tells))).words
    assert said.count("It cannot tell pictures unlike anything it was trained on") == times


def _called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["retinula", "report", *words])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert isinstance(left.value.code, int)
    return left.value.code
