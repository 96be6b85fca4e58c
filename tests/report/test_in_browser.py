"""What moves on the page of a run, in a real browser: sorting, the pictures behind a number, the map."""

import pytest

from browser_checks import Pages, until
from hostile_names import HOSTILE, PLAIN
from retinula.report import answers
from retinula.report.page import write_report
from retinula.runs.run import Run

pytestmark = pytest.mark.browser

LOADED = "document.readyState === 'complete'"
ROWS = "[...document.querySelectorAll('table.sorts tbody tr')].map((row) => row.cells[0].textContent)"
SHARES = "[...document.querySelectorAll('table.sorts tbody tr')].map((row) => Number(row.cells[2].dataset.value))"
TOLD = "document.getElementById('map-told').textContent"
RING = "['cx', 'cy'].map((name) => Number(document.getElementById('map-ring').getAttribute(name)))"
SHOWN = "document.getElementById('behind').open"


@pytest.fixture
def address(inspected: Run) -> str:
    file, contents = write_report(inspected)
    assert contents.map is not None
    return file.as_uri()


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(open_page: Pages, address: str) -> None:
    page = open_page(address, LOADED)
    names = page.evaluate(ROWS)
    assert HOSTILE in names
    recall = page.locator("table.sorts thead button", has_text="recall")
    recall.click()
    falling = page.evaluate(SHARES)
    assert falling == sorted(falling, reverse=True)
    recall.click()
    rising = page.evaluate(SHARES)
    assert rising == sorted(rising) != falling
    assert page.locator("table.sorts th").nth(2).get_attribute("aria-sort") == "ascending"
    page.locator("table.sorts thead button", has_text="class").click()
    assert sorted(page.evaluate(ROWS)) == sorted(names)
    assert page.evaluate(ROWS)[-1] == PLAIN, "by name, signs before letters"


def test_a_number_opens_the_pictures_behind_it(open_page: Pages, address: str) -> None:
    page = open_page(address, LOADED)
    cell = page.locator("#confusion td.wrong button").first
    number = int(cell.text_content())
    cell.focus()
    page.keyboard.press("Enter")
    until(page, SHOWN)
    assert page.locator("#behind-title").text_content().startswith(f"{number} \u00d7 ")
    assert page.locator("#behind-pictures i.pic").count() == number
    page.keyboard.press("Escape")
    until(page, f"!({SHOWN})")


def test_the_arrow_keys_go_through_a_matrix_of_many_classes(
    open_page: Pages, inspected: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TABLED", 2)  # three classes are many, then
    file, contents = write_report(inspected)
    assert contents.answers is not None
    page = open_page(file.as_uri(), LOADED)
    under = page.locator("#under")
    said = under.text_content()
    page.locator(".dots").focus()
    page.keyboard.press("Enter")
    assert not page.evaluate(SHOWN), "no field is chosen yet"
    for cell in contents.answers.dots:
        page.keyboard.press("ArrowRight")
        assert under.text_content().startswith(f"{cell.count} \u00d7 ")
        assert page.locator(".dots .current").get_attribute("data-cell") == f"{cell.true}-{cell.answer}"
        assert under.text_content() != said
        said = under.text_content()
    page.keyboard.press("ArrowUp")
    *_, column = contents.answers.dots
    assert page.locator(".dots .current").get_attribute("data-cell").endswith(f"-{column.answer}")
    page.keyboard.press("Enter")
    until(page, SHOWN)
    assert page.locator("#behind-title").text_content() == under.text_content()


@pytest.mark.parametrize("by_finger", [False, True])
def test_a_mouse_points_at_its_field_alone_and_a_finger_at_the_nearest(
    by_finger: bool, open_page: Pages, inspected: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TABLED", 2)  # three classes are many, then
    file, contents = write_report(inspected)
    assert contents.answers is not None
    filled = {(cell.true, cell.answer): cell.count for cell in contents.answers.dots}
    beside = next(key for key in filled if (key[0], key[1] + 1) not in filled)
    page = open_page(file.as_uri(), LOADED, has_touch=True)
    under, field = page.locator("#under"), page.locator(f"[data-cell='{beside[0]}-{beside[1]}']")
    said = under.text_content()
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    click = page.touchscreen.tap if by_finger else page.mouse.click
    click(box["x"] + 1.2 * box["width"], box["y"] + box["height"] / 2)  # an empty field, or beside the last
    if not by_finger:
        assert under.text_content() == said
        assert not page.evaluate(SHOWN)
        click(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    until(page, SHOWN)
    assert under.text_content().startswith(f"{filled[beside]} \u00d7 ")
    assert page.locator("#behind-title").text_content() == under.text_content()


def test_a_name_that_is_cut_tells_all_of_itself(
    open_page: Pages, inspected: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TABLED", 2)  # three classes are many, then
    page = open_page(write_report(inspected)[0].as_uri(), LOADED)
    name = page.locator(".dots .names text").first
    name.scroll_into_view_if_needed()
    box = name.bounding_box()
    found = "([x, y]) => document.elementFromPoint(x, y).querySelector(':scope > title')?.textContent"
    place = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert page.evaluate(found, place) == name.locator("title").text_content()


def test_the_map_tells_of_the_mark_that_is_pointed_at(open_page: Pages, address: str) -> None:
    page = open_page(address, LOADED)
    marks = page.locator("#map-drawing use")
    assert marks.count() == 20
    mark = marks.nth(7)
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(page, f"{TOLD}.includes('sure')")
    place = [float(mark.get_attribute(name)) for name in ("x", "y")]
    assert page.evaluate(RING) == pytest.approx(place)
    assert page.locator("#map-told i.mapped").count() == 1
    assert page.locator("#map-ring").get_attribute("hidden") is None


def test_the_arrow_keys_go_through_the_map_and_stay_in_a_chosen_class(open_page: Pages, address: str) -> None:
    page = open_page(address, LOADED)
    kind = page.locator(".kinds button", has_text=PLAIN)
    kind.click()
    assert kind.get_attribute("aria-pressed") == "true"
    page.locator("#map-drawing").focus()
    number = page.locator(f"#map-drawing g[data-kind='{kind.get_attribute('data-kind')}'] use").count()
    seen = []
    for _ in range(number):
        page.keyboard.press("ArrowRight")
        assert page.locator("#map-told b").text_content() == PLAIN
        seen.append(page.locator("#map-told small").text_content())
    assert len(set(seen)) == number > 1
    page.keyboard.press("ArrowRight")
    assert page.locator("#map-told small").text_content() == seen[0], "behind the last comes the first"
    page.keyboard.press("ArrowLeft")
    assert page.locator("#map-told small").text_content() == seen[-1]
    kind.click()
    assert kind.get_attribute("aria-pressed") == "false"
    page.locator("#map-drawing").focus()
    others = set()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        others.add(page.locator("#map-told b").text_content())
    assert HOSTILE in others
