"""The page of a study in a browser: it sorts, changes its colours, prints, and asks nobody."""

import subprocess
import sys

import pytest
from PIL import Image

from experiments.cli.app import main
from experiments.reports.picture import SIZE
from tests.support.synthetic import write_study

pytestmark = pytest.mark.browser
ENVS = ["RepeatPreviousEasy", "BattleshipEasy"]
COLUMN = "#table-agents tbody tr > :nth-child({})"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of a small study."""
    out = tmp_path_factory.mktemp("results")
    folder = write_study(out, "seen", {"gru": 0.7, "mlp": 0.0, "s5": 0.8}, ENVS, updates=6)
    write_study(out, "seen", {"gru": 0.5}, ENVS[:1], updates=6, regime="lm")
    assert main(["report", "seen", "--out", str(out)]) == 0
    return folder / "report.html"


def column(page, number):
    return page.locator(COLUMN.format(number)).all_inner_texts()


def head(page, name):
    return page.locator("#table-agents thead th", has_text=name).first


def numbers(texts):
    return [float(text.split()[0]) for text in texts if text]


@pytest.mark.slow
def test_tables_sort_by_click(visit, path):
    page = visit(path)
    head(page, "final").get_by_role("button").click()
    assert head(page, "final").get_attribute("aria-sort") == "descending"
    final = numbers(column(page, 3))
    assert len(final) == 6 and final == sorted(final, reverse=True)
    head(page, "environment").get_by_role("button").click()
    assert head(page, "final").get_attribute("aria-sort") == "none"
    names = column(page, 1)
    assert names == sorted(names)


def test_tables_sort_by_keyboard_and_what_is_missing_comes_last(visit, path):
    page = visit(path)
    button = head(page, "paper GRU").get_by_role("button")
    button.focus()
    for way in ("descending", "ascending"):
        page.keyboard.press("Enter")
        assert head(page, "paper GRU").get_attribute("aria-sort") == way
        figures = page.locator("#table-agents tbody tr").evaluate_all(
            "(rows, at) => rows.map((row) => row.cells[at].innerText)",
            head(page, "paper GRU").evaluate("(cell) => cell.cellIndex"),
        )
        assert all(figures[:3]) and not any(figures[3:])
    page.keyboard.press("Space")
    assert head(page, "paper GRU").get_attribute("aria-sort") == "descending"


def ground(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.slow
def test_dark_follows_the_system_and_the_button(visit, path):
    light, dark = visit(path, color_scheme="light"), visit(path, color_scheme="dark")
    assert ground(light) != ground(dark)
    ink = "getComputedStyle(document.querySelector('figure text')).fill"
    assert light.evaluate(ink) != dark.evaluate(ink)
    light.get_by_role("button", name="Dark").click()
    assert ground(light) == ground(dark)
    light.reload()
    assert ground(light) == ground(dark)


def test_nothing_sticks_out_on_a_phone(visit, path):
    page = visit(path, viewport={"width": 390, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == page.evaluate("document.documentElement.clientWidth") == 390


def test_print_is_light_and_shows_what_was_folded(visit, path):
    page = visit(path, color_scheme="dark")
    assert not page.locator("#table-cost").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#table-cost").is_visible()
    assert not page.locator("#theme").is_visible()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_links_lead_to_their_sections(visit, path):
    page = visit(path)
    for link in page.locator("nav a[href^='#']").all():
        link.click()
        assert page.locator(link.get_attribute("href")).count() == 1


@pytest.mark.slow
def test_the_page_with_the_toggle_is_beside_it(visit, path):
    link = visit(path).locator("nav a", has_text="toggle").get_attribute("href")
    page = visit(path.with_name(link))
    page.wait_for_selector('.replay[data-env="RepeatFirstEasy"]')
    assert page.locator("#study").inner_text() == "The study seen"


@pytest.mark.slow
@pytest.mark.usefixtures("browser")  # or be skipped
def test_a_picture_of_the_page(path, tmp_path):
    """In a process of its own, since playwright runs here already."""
    picture = tmp_path / "new" / "page.png"
    code = (
        "import sys; from pathlib import Path\n"
        "from experiments.reports.picture import take_picture\n"
        "take_picture(*map(Path, sys.argv[1:]))"
    )
    subprocess.run([sys.executable, "-c", code, path, picture], check=True)
    with Image.open(picture) as image:
        assert image.size == tuple(int(1.5 * side) for side in SIZE.values())
