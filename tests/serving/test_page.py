"""The page in a real browser: what it shows, by mouse and by keyboard, on a phone, in dark and light."""

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_checks import READY, Pages, until
from retinula.files.spreadsheets import harmless
from retinula.prediction.scoring import COLUMNS
from retinula.recipe.files import load_recipe
from retinula.runs.run import Run
from retinula.serving.limits import Limits
from retinula.text.words import share
from retinula.training.loss_words import compared, in_training, only_in_training
from serving_checks import BLACK, COLOURS, Colours, png, served
from small_runs import epoch_row, whole_report
from spreadsheet_cases import SPREADSHEET_CASES

pytestmark = pytest.mark.browser
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TIMES = "\N{MULTIPLICATION SIGN}"
LIMITS = Limits(max_bytes=1_000_000)
# Of all elements that are seen: their words, and the contrast of their colour to what is behind (WCAG 2.2, 1.4.3).
CONTRAST = """(selector) => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parse(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (parse(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility()).map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), light(ground(each))].sort((x, y) => y - x);
    return [each.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
  });
}"""
DROP = """([kind, files]) => {
  const data = new DataTransfer();
  for (const [name, type, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("serving") / "runs"
    for name, rate in (("first", 0.1), ("second", 0.2)):
        run = Run(root / name)
        run.path.mkdir(parents=True)
        run.recipe_file.write_text(load_recipe("digits", [f"optimizer.lr={rate}"]).to_toml())
        for epoch in range(1, 6):
            run.add_metrics(
                epoch_row(epoch, loss=rate / epoch, accuracy=epoch / 6, val_loss=0.3, val_accuracy=epoch / 7)
            )
        report = whole_report(training={"val_accuracy": 5 / 7}, parameters=1234)
        run.report_file.write_text(json.dumps(report))
    (root / "first" / "report.html").write_text("<!doctype html><style>p{color:red}</style><p>the report</p>")
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with served(LIMITS, runs=root) as (address, _):
        yield address


def files(*colours: str, size: tuple[int, int] = (90, 70)) -> list[Any]:
    return [{"name": f"{colour}.png", "mimeType": "image/png", "buffer": png(colour, size)} for colour in colours]


def wide(page: Any) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.scrollingElement.scrollWidth > document.documentElement.clientWidth"))


def test_a_chosen_picture_is_answered(open_page: Pages, address: str) -> None:
    page = open_page(address)
    assert "red, green, blue" in page.inner_text("#known")
    page.set_input_files("#files", files("green"))
    page.wait_for_selector(".looked canvas")
    assert page.inner_text(".verdict") == "green, 99.2%"
    assert page.locator(".bars li").all_inner_texts() == ["green\n99.2%", "red\n0.4%", "blue\n0.4%"]
    widths = page.eval_on_selector_all(".bars rect", "all => all.map((each) => Number(each.getAttribute('width')))")
    assert widths == pytest.approx([99.2248, 0.3876, 0.3876], abs=1e-3)
    assert page.inner_text(".original figcaption") == f"Your picture, 90 {TIMES} 70"
    until(page, f"document.querySelector('.seen figcaption').textContent === 'What the network saw, 4 {TIMES} 4'")
    # All of the picture was looked at, so that all of it has the colour of the overlay.
    drawn = "c => [...c.getContext('2d').getImageData(0, 0, 1, 1).data]"
    until(page, "document.querySelector('.looked canvas').width === 4")
    assert page.eval_on_selector(".looked canvas", drawn) != [0, 255, 0, 255]
    assert page.inner_text("#status") == "green, 99.2%"
    assert page.locator(".similar li").all_inner_texts() == ["itself"]
    assert not page.is_visible(".answer .notice")
    page.set_input_files("#files", files(BLACK))
    page.wait_for_selector(".answer .notice")
    assert "unlike anything" in page.inner_text(".answer .notice")
    assert "unlike anything" in page.inner_text("#status")


def test_a_tiny_picture_is_enlarged(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.set_input_files("#files", files("red", size=(8, 4)))
    page.wait_for_selector(".original .tiny")
    until(page, "document.querySelector('.original img').complete")
    width, height = page.eval_on_selector(".original img", "each => [each.clientWidth, each.clientHeight]")
    assert width > 100
    assert width == 2 * height
    page.set_input_files("#files", files("red", size=(200, 100)))
    page.wait_for_selector(".original img:not(.tiny)")


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_pictures_are_pasted_and_dropped(open_page: Pages, address: str, kind: str) -> None:
    page = open_page(address)
    page.evaluate(DROP, [kind, [["x.png", "image/png", list(png("blue"))]]])
    page.wait_for_selector(".verdict")
    assert page.inner_text(".verdict").startswith("blue")
    page.evaluate(DROP, [kind, [["x.txt", "text/plain", [1, 2, 3]]]])
    page.wait_for_selector("#failure:not([hidden])")
    assert "no picture" in page.inner_text("#failure")


def test_a_photo_is_taken(open_page: Pages, address: str) -> None:
    page = open_page(address, permissions=["camera"])
    page.click("#photograph")
    until(page, "document.querySelector('#viewfinder').videoWidth > 0")
    page.click("#shoot")
    page.wait_for_selector(".verdict")
    assert not page.is_visible("#camera")
    assert page.evaluate("document.querySelector('#viewfinder').srcObject") is None
    page.click("#photograph")
    page.wait_for_selector("#camera[open]")
    page.keyboard.press("Escape")
    until(page, "document.querySelector('#viewfinder').srcObject === null")


def test_many_pictures_are_a_table_that_sorts_and_saves(open_page: Pages, address: str, tmp_path: Path) -> None:
    page = open_page(address)
    bad = {"name": "=bad.png", "mimeType": "image/png", "buffer": b"no"}
    named = [{**each, "name": f'{n} "{each["name"]}"'} for n, each in enumerate(files("red", "green", "blue", "red"))]
    formula = {**files("green")[0], "name": "=1+1.png"}
    page.set_input_files("#files", [*named, bad, formula])
    page.wait_for_selector("#list table")
    assert page.inner_text("#list h2") == "6 pictures, 1 could not be read"
    assert page.locator("tr.failed").count() == 1

    def answers() -> list[str]:
        return [text for text in page.locator("tbody td:nth-child(3)").all_inner_texts() if text in COLOURS]

    assert answers() == ["red", "green", "blue", "red", "green"]
    page.focus("th button:has-text('Answer')")
    page.keyboard.press("Enter")
    assert answers() == ["blue", "green", "green", "red", "red"]
    assert page.get_attribute("th:has-text('Answer')", "aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert answers() == ["red", "red", "green", "green", "blue"]
    assert page.get_attribute("th:has-text('Answer')", "aria-sort") == "descending"
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "answers.csv")
    rows = list(csv.reader((tmp_path / "answers.csv").read_text().splitlines()))
    assert rows[0] == ["file", "answer", "probability", "unfamiliar"]
    assert set(rows[0]) < set(COLUMNS)
    # In the order that is shown, equal answers as they came.
    shown = [named[0]["name"], named[3]["name"], named[1]["name"], "./=1+1.png", named[2]["name"]]
    assert [row[0] for row in rows[1:]] == shown
    assert [row[1] for row in rows[1:]] == ["red", "red", "green", "green", "blue"]
    assert {row[3] for row in rows[1:]} == {"False"}
    assert float(rows[1][2]) == pytest.approx(256 / 258, abs=1e-6)
    page.click("tbody tr:nth-child(1) .look")
    page.wait_for_selector(".looked canvas")
    assert page.inner_text(".verdict").startswith("red")
    assert page.evaluate("document.activeElement.id") == "answer"


def test_what_is_unfamiliar_among_many_is_said(open_page: Pages, address: str, tmp_path: Path) -> None:
    page = open_page(address, **PHONE)
    page.set_input_files("#files", files("red", BLACK))
    page.wait_for_selector("#list table")
    marked = [row.split() for row in page.locator("#list tbody td.label").all_inner_texts()]
    assert [row[1:] for row in marked] == [[], ["unfamiliar"]]
    notice = page.inner_text("#list .notice")
    assert notice.startswith("Pictures unlike anything the network was trained on: 1.")
    assert page.inner_text("#status") == f"2 pictures, all read. {notice}"
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "answers.csv")
    told = [row["unfamiliar"] for row in csv.DictReader((tmp_path / "answers.csv").read_text().splitlines())]
    assert told == ["False", "True"]
    page.set_input_files("#files", files("red", "green"))
    until(page, "document.querySelector('#list td.label')?.closest('table').querySelector('.mark') === null")
    assert page.locator("#list .notice").count() == 0


def test_the_table_is_written_by_the_rule_of_predict(open_page: Pages, address: str) -> None:
    page = open_page(address)
    entries = [
        {"file": {"name": name}, "prediction": {"label": name, "probability": 0.75, "top": []}}
        for name in SPREADSHEET_CASES
    ]
    written = page.evaluate("async (entries) => (await import('/page/list.js')).csvOf(entries)", entries)
    rows = [[harmless(name, "./"), cell, "0.750000", ""] for name, cell in SPREADSHEET_CASES.items()]
    assert list(csv.reader(io.StringIO(written, newline="")))[1:] == rows


def test_hundreds_of_pictures_go_in_parts(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.set_input_files("#files", files(*list(COLOURS) * 30, size=(4, 4)))
    page.wait_for_selector("#list table")
    assert page.locator("tbody tr").count() == 90
    assert page.locator("tr.failed").count() == 0


def test_what_goes_wrong_is_said(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.set_input_files("#files", {"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    page.wait_for_selector("#failure:not([hidden])")
    assert page.inner_text("#failure").startswith("cannot read a.png: it is not a picture")
    large = {"name": "large.png", "mimeType": "image/png", "buffer": bytes(LIMITS.max_bytes + 1)}
    page.set_input_files("#files", large)
    until(page, "document.querySelector('#failure').textContent.startsWith('large.png')")
    page.set_input_files("#files", files("red"))
    page.wait_for_selector(".verdict")
    assert not page.is_visible("#failure")
    evil = {"name": "<img src=x onerror=alert(1)>.png", "mimeType": "image/png", "buffer": png("red")}
    page.set_input_files("#files", evil)
    until(page, "document.querySelector('#answer h2').textContent.startsWith('<img')")


def test_a_server_that_is_gone_is_said(open_page: Pages) -> None:
    with served(LIMITS) as (address, _):
        page = open_page(address)
        page.route("**/v1/predict", lambda route: route.abort())
        page.set_input_files("#files", files("red"))
        page.wait_for_selector("#failure:not([hidden])")
        assert "does not answer" in page.inner_text("#failure")
        page.unroute("**/v1/predict")
        page.route(
            "**/v1/predict", lambda route: route.fulfill(status=503, json={"error": {"code": "x", "message": "x"}})
        )
        page.set_input_files("#files", files("red"))
        until(page, "document.querySelector('#failure').textContent.includes('too much to do')")
        open_page.expected += ["ERR_FAILED", "status of 503"]


def test_a_busy_server_is_asked_once_more(open_page: Pages, address: str) -> None:
    page = open_page(address)
    busy = {"error": {"code": "overloaded", "message": "x"}}
    page.route("**/v1/predict", lambda route: route.fulfill(status=503, json=busy), times=1)
    page.set_input_files("#files", files("red"))
    page.wait_for_selector(".verdict")
    assert not page.is_visible("#failure")
    open_page.expected.append("status of 503")


def test_what_was_answered_stays_where_a_later_answer_fails(open_page: Pages, address: str) -> None:
    page = open_page(address)
    asked: list[Any] = []

    def first_alone(route: Any) -> None:
        asked.append(route)
        route.continue_() if len(asked) == 1 else route.abort()

    page.route("**/v1/predict", first_alone)
    page.set_input_files("#files", files(*["red"] * 16, "blue"))
    page.wait_for_selector("#failure:not([hidden])")
    assert page.locator("#list tbody tr").count() == 17
    assert page.locator("#list .failed").count() == 1
    assert "does not answer" in page.inner_text("#list .failed")
    open_page.expected.append("ERR_FAILED")


def test_a_newer_question_wins(open_page: Pages) -> None:
    colours = Colours()
    with served(LIMITS, colours) as (address, _):
        page = open_page(address)
        colours.may_go.clear()
        page.set_input_files("#files", files("red"))
        until(page, "document.querySelector('#status').textContent !== ''")
        page.set_input_files("#files", files("blue"))
        threading.Timer(0.2, colours.may_go.set).start()
        page.wait_for_selector(".verdict")
        page.wait_for_timeout(300)
        assert page.inner_text(".verdict").startswith("blue")


def test_the_token_is_asked_for(open_page: Pages, root: Path) -> None:
    with served(LIMITS, token="secret", runs=root) as (address, _):  # noqa: S106 - of this test alone
        page = open_page(address, ready="document.querySelector('#token').open")
        page.fill("#token-value", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("#token-wrong:not([hidden])")
        page.fill("#token-value", "secret")
        page.keyboard.press("Enter")
        until(page, READY)
        page.set_input_files("#files", files("red"))
        page.wait_for_selector(".verdict")
        page.click("#tab-runs")
        page.check("#run-first")
        with page.expect_download() as download:
            page.click("#runs a")
        assert download.value.suggested_filename == "first.html"
        page.route("**/report", lambda route: route.fulfill(status=404, json={}))
        page.click("#runs a")
        page.wait_for_selector("#runs .notice")


def test_all_of_it_works_by_keyboard(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-pictures"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-runs"
    page.wait_for_selector("#runs table")
    assert page.get_attribute("#tab-runs", "aria-selected") == "true"
    assert not page.is_visible("#pictures")
    for _ in range(2):  # over the region that scrolls, to the first training
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_selector(".chart")
    assert page.evaluate("document.activeElement.type") == "checkbox"
    page.focus("#tab-runs")
    page.keyboard.press("ArrowLeft")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    chooser.value.set_files(files("red"))
    page.wait_for_selector(".verdict")
    outline = page.eval_on_selector("#choose", "each => getComputedStyle(each).outlineStyle")
    assert outline == "solid"


def test_it_can_be_heard(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.set_input_files("#files", files("red"))
    page.wait_for_selector(".looked canvas")
    assert page.get_attribute("#status", "aria-live") == "polite"
    assert page.inner_text("#status") == "red, 99.2%"
    heard = page.locator("body").aria_snapshot()
    for part in ('tab "Pictures" [selected]', 'button "Choose pictures"', 'combobox "Language"', 'list "The likeliest'):
        assert part in heard
    assert page.locator("img:not([alt])").count() == 0
    page.set_input_files("#files", files("red", "blue"))
    page.wait_for_selector("#list table")
    assert 'button "Show blue.png in detail"' in page.locator("#list").aria_snapshot()
    assert page.inner_text("#status") == "2 pictures, all read"


def test_trainings_are_shown_and_compared(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.click("#tab-runs")
    page.wait_for_selector("#runs table")
    page.check("#run-first")
    page.wait_for_selector(".chart")
    assert page.locator(".chart").count() == 2
    assert page.inner_text("summary").startswith("Settings (")
    assert page.locator(".chart:first-child polyline.first").count() == 4  # two curves, and their two samples
    assert "validation: 71.43%" in page.locator(".chart").first.inner_text()
    assert "training, with label smoothing 0.1: 0.02" in page.locator(".chart").nth(1).inner_text()
    page.check("#run-second")
    page.wait_for_selector(".chart polyline.second")
    differing = page.locator("h3:has-text('Settings that differ') + div tbody tr").all_inner_texts()
    assert [row.split("\t") for row in differing] == [["optimizer.lr", "0.1", "0.2"]]
    assert page.inner_text("summary").startswith("Settings that are the same (")
    with page.context.expect_page() as opened:
        page.click("#runs a")
    report = opened.value
    report.wait_for_selector("text=the report")
    assert report.eval_on_selector("p", "each => getComputedStyle(each).color") == "rgb(255, 0, 0)"


def test_losses_that_do_not_count_the_same_are_not_called_alike(open_page: Pages, tmp_path: Path) -> None:
    rows = [epoch_row(epoch, loss=1.5 / epoch, val_loss=1 / epoch) for epoch in (1, 2)]
    none = ["objective.label_smoothing=0"]
    every = ["objective.label_smoothing=0.1", "objective.class_weights=balanced", "augment.cutmix=1.0"]
    recipes = {
        name: load_recipe("digits", settings)
        for name, settings in (("plain", none), ("one", every[:1]), ("all", every))
    }
    for name, recipe in recipes.items():
        run = Run(tmp_path / "runs" / name)
        run.path.mkdir(parents=True)
        run.recipe_file.write_text(recipe.to_toml())
        for row in rows:
            run.add_metrics(row)
    counted = only_in_training(recipes["one"])
    with served(LIMITS, runs=tmp_path / "runs") as (address, _):
        page = open_page(address)
        page.click("#tab-runs")
        page.wait_for_selector("#runs table")
        page.check("#run-plain")
        loss = page.locator(".chart").last
        loss.wait_for()
        assert loss.locator("p").count() == 0
        assert "training: 0.75" in loss.inner_text()
        page.check("#run-one")
        page.wait_for_selector(".chart polyline.second")
        assert f"one, {in_training(counted)}: 0.75" in loss.inner_text()
        assert "plain, training: 0.75" in loss.inner_text()
        assert loss.locator("p").all_inner_texts() == [compared("validation", counted)]
        page.uncheck("#run-plain")
        page.check("#run-all")
        page.wait_for_selector("text=class weights")
        notes = loss.locator("p").all_inner_texts()
        assert notes == [compared("validation", only_in_training(recipes[name])) for name in ("one", "all")]
        page.select_option("#language", "ru")
        page.wait_for_selector("text=веса классов, смешанные картинки")
        assert not re.search("[a-z]", "".join(loss.locator("p").all_inner_texts()))


def test_trainings_are_told_as_terminal_and_report_tell_them(open_page: Pages, tmp_path: Path) -> None:
    told: dict[str, dict[str, Any]] = {
        "classes": {"val_accuracy": 1 / 32, "val_loss": 2.5},
        "pictures": {"val_loss": 0.0109},
    }
    for name, reached in told.items():
        run = Run(tmp_path / "runs" / name)
        run.path.mkdir(parents=True)
        run.recipe_file.write_text(load_recipe("digits").to_toml())
        run.add_metrics(epoch_row(1, **reached))
        run.add_metrics(epoch_row(2, **reached))
        training = {**reached, "seconds": 13.2, "seconds_in_all": 39.0}
        run.report_file.write_text(json.dumps(whole_report(training=training)))
    with served(LIMITS, runs=tmp_path / "runs") as (address, _):
        page = open_page(address, **PHONE)
        page.click("#tab-runs")
        page.wait_for_selector("#runs table")
        cells = {name: page.inner_text(f"#runs tr:has(#run-{name}) td.number >> nth=0") for name in told}
        assert cells == {"classes": "3.12%", "pictures": "loss 0.0109"}
        assert share(1 / 32) == "3.12 %"
        page.check("#run-pictures")
        page.wait_for_selector(".chart text")
        results = page.locator(".facts tbody").first.inner_text()
        assert "Validation\tloss 0.0109" in results
        assert "Seconds\t13" in results
        heights = page.eval_on_selector_all(
            ".chart text", "all => all.map((each) => each.getBoundingClientRect().height)"
        )
        assert min(heights) > 12


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_a_phone_and_can_be_read(open_page: Pages, address: str, locale: str, scheme: str) -> None:
    page = open_page(address, locale=locale, color_scheme=scheme, reduced_motion="reduce", **PHONE)
    texts = "h1, h2, h3, p, button, td, th, li span, figcaption, label, select, .notice"
    assert not wide(page)
    page.set_input_files("#files", files("red"))
    page.wait_for_selector(".looked canvas")
    assert page.eval_on_selector(".bars rect", "each => getComputedStyle(each).animationName") == "none"
    assert not wide(page)
    contrasts = page.evaluate(CONTRAST, texts)
    bad = {"name": "a.png", "mimeType": "image/png", "buffer": b"no"}
    page.set_input_files("#files", [*files("red", "green"), bad])
    page.wait_for_selector("#list table")
    assert not wide(page)
    contrasts += page.evaluate(CONTRAST, texts)
    page.click("#tab-runs")
    page.check("#run-first")
    page.check("#run-second")
    page.wait_for_selector(".chart polyline.second")
    assert not wide(page)
    contrasts += page.evaluate(CONTRAST, texts)
    assert len(contrasts) > 40
    assert min(contrast for _, contrast in contrasts) >= 4.5, sorted(contrasts, key=lambda each: each[1])[:3]
    assert page.evaluate("document.documentElement.lang") == locale[:2]


def test_names_of_any_length_and_direction_fit_a_phone(open_page: Pages, tmp_path: Path) -> None:
    long = "Donaudampfschifffahrtsgesellschaftskapitaen" * 2
    colours = Colours()
    colours.name, colours.classes = long, (long, "תמונה", "blue")
    run = Run(tmp_path / "runs" / long)
    run.path.mkdir(parents=True)
    run.recipe_file.write_text(load_recipe("digits").to_toml())
    for epoch in (1, 2):
        run.add_metrics(epoch_row(epoch, val_loss=0.3, val_accuracy=epoch / 7))
    with served(LIMITS, colours, runs=run.path.parent) as (address, _):
        page = open_page(address, **PHONE)
        assert page.locator("#known bdi").all_inner_texts() == list(colours.classes)
        assert not wide(page)
        picture = {**files("red")[0], "name": f"{long}.png"}
        page.set_input_files("#files", picture)
        page.wait_for_selector(".looked canvas")
        for place in (".verdict", ".bars li:first-child .name", ".looked figcaption"):
            assert page.inner_text(f"{place} bdi") == long
        assert not wide(page)
        page.set_input_files("#files", [picture, *files("green")])
        page.wait_for_selector("#list table")
        assert page.locator("#list td.label bdi").all_inner_texts() == [long, "תמונה"]
        assert not wide(page)
        page.click("#tab-runs")
        page.check("#runs input")
        page.wait_for_selector(".chart polyline.first")
        assert not wide(page)
        page.set_viewport_size({"width": 720, "height": 800})  # where name and language stand beside each other
        assert not wide(page)


def test_a_table_fits_the_narrowest_phone(open_page: Pages, address: str) -> None:
    page = open_page(address, locale="ru-RU", **{**PHONE, "viewport": {"width": 320, "height": 568}})
    page.set_input_files("#files", files("red", "green"))
    page.wait_for_selector("#list td .look")
    table = "document.querySelector('#list .scroll')"
    assert page.evaluate(f"{table}.scrollWidth <= {table}.clientWidth")


def test_it_speaks_two_languages_and_remembers_which(open_page: Pages, address: str) -> None:
    page = open_page(address)
    page.set_input_files("#files", files("red"))
    page.wait_for_selector(".verdict")
    page.select_option("#language", "ru")
    assert page.inner_text("#choose") == "Выбрать картинки"
    assert page.inner_text(".verdict").replace("\xa0", " ") == "red, 99,2 %"
    page.reload()
    until(page, READY)
    assert page.inner_text("#tab-runs") == "Обучения"
    both = page.evaluate("import('/page/texts.js').then((texts) => texts.missing())")
    assert both == []


def test_foreign_scripts_do_not_run(open_page: Pages, address: str) -> None:
    page = open_page(address)
    blocked = page.evaluate("""() => new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.head.append(script);
    })""")
    assert blocked.startswith("script-src")
    assert page.evaluate("window.ran") is None
    open_page.expected.append("Content Security Policy")
