"""The page as visitors use it: by mouse, by keyboard, on a phone, by a link, by screen reader.

`visit` holds each page to no error in the console and no request that leaves the file.
"""

import shutil
import subprocess

import pytest

from experiments.explorer import page as explorer_page
from experiments.explorer.gears import gears, sentences
from popjax import ENVS, FAMILIES

pytestmark = pytest.mark.browser
UNREACHED = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
SOURCES = ("package.json", "package-lock.json", "vite.config.js", "page.html", "src")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    written = tmp_path_factory.mktemp("page") / "explore.html"
    written.write_text(explorer_page.page(), encoding="utf-8")
    return written


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The sources with all that builds them, installed from the lock file."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("workshop")
    for name in SOURCES:
        source = explorer_page.FOLDER / "web" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True)
    if any(code in done.stderr for code in UNREACHED):
        pytest.skip("npm reaches no registry")
    assert done.returncode == 0, done.stderr
    return folder


def shown(page, env_id):
    """Waits until the episode of an environment is there."""
    page.wait_for_selector(f'.replay[data-env="{env_id}"]')
    return page


def cards(page):
    return page.locator("[data-gear] .name").all_inner_texts()


def step(page):
    return int(page.locator(".seek").input_value())


def test_the_toggle_renames_every_card(visit, path):
    page = visit(path)
    assert cards(page) == [gear.rl for gear in gears()]
    assert page.locator(".holds.breaks").count() - 1 == sum(g.holds == "breaks" for g in gears())
    page.get_by_label("Reinforcement learning", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert cards(page) == [gear.lm for gear in gears()]
    assert page.locator(".sentence").inner_text() == sentences("RepeatFirst")["lm"]
    assert page.url.endswith("#lm/RepeatFirstEasy/0")


@pytest.mark.slow
def test_every_family_and_every_level_has_an_episode(visit, path):
    page = visit(path)
    for family in FAMILIES:
        page.click(f'[data-family="{family}"]')
        shown(page, f"{family}Easy")
        assert page.locator(".sentence").inner_text() == sentences(family)["rl"]
        assert page.locator(".scene svg title").first.text_content().startswith(family)
    page.click('[data-family="HigherLower"]')
    for level in ("Medium", "Hard"):
        page.click(f'[data-level="{level}"]:enabled')
        shown(page, f"HigherLower{level}")


@pytest.mark.slow  # by default: the toggle's keys, what one step shows
def test_the_replay_goes_on_by_button_by_key_and_by_itself(visit, path):
    page = shown(visit(path, "#rl/RepeatPreviousEasy/0"), "RepeatPreviousEasy")
    before = page.locator(".scene").inner_html()
    page.get_by_label("One step on").click()
    assert step(page) == 1 and page.locator(".scene").inner_html() != before
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert step(page) == 2
    page.locator(".controls select").select_option("16")
    page.get_by_label("Play", exact=True).click()
    page.wait_for_function("Number(document.querySelector('.seek').value) >= 5")
    page.get_by_label("Pause", exact=True).click()
    rest = step(page)
    page.wait_for_timeout(150)
    assert step(page) == rest
    page.get_by_label("Back to the start").click()
    page.keyboard.press("ArrowLeft")
    assert step(page) == 0
    page.keyboard.press("End")  # scrolls; the replay heeds its own keys alone
    assert step(page) == 0


def test_what_is_hidden_is_shown_on_request(visit, path):
    page = shown(visit(path, "#rl/RepeatFirstEasy/3"), "RepeatFirstEasy")
    secret = page.locator(".scene [data-hidden]").first
    assert not secret.is_visible()
    page.get_by_label("reveal what is hidden").check()
    assert secret.is_visible()


@pytest.mark.slow
def test_a_link_leads_back(visit, path):
    page = shown(visit(path, "#lm/HigherLowerMedium/7"), "HigherLowerMedium")
    assert page.evaluate("scrollY > 0"), "it leads to the replay"
    assert step(page) == 7 and page.get_by_label("Language model", exact=True).is_checked()
    assert page.locator('[data-level="Medium"]').get_attribute("aria-pressed") == "true"
    page.evaluate("location.hash = '#rl/MineSweeperEasy/1'")
    assert step(shown(page, "MineSweeperEasy")) == 1
    page = shown(visit(path, "#nonsense/RepeatFirstEazy/-3"), "RepeatFirstEasy")
    assert step(page) == 0


def test_a_page_of_few_episodes_begins_with_the_first(visit, tmp_path):
    path = tmp_path / "few.html"
    path.write_text(
        explorer_page.page(only=["CountRecallMedium", "MineSweeperEasy"]), encoding="utf-8"
    )
    assert path.stat().st_size < 800_000
    page = shown(visit(path), "CountRecallMedium")
    assert page.locator("[data-family]").count() == 2
    page.locator('[data-family="MineSweeper"]').click()
    shown(page, "MineSweeperEasy")


def test_the_probabilities_beside_the_picture_are_those_recorded(visit, path):
    recorded = explorer_page.unpack(explorer_page.shipped()["HigherLowerEasy"])
    page = shown(visit(path, "#lm/HigherLowerEasy/9"), "HigherLowerEasy")
    law = recorded["law"]["next"][0][9]
    numbers = page.locator('[data-panel="next"] .number').all_inner_texts()
    assert len(numbers) == 13
    for p, text in zip(law, numbers, strict=True):
        assert text.split()[-1] == (f"{p / 10:.1f}%" if 0 < p < 10 else f"{round_half(p / 10)}%")
    came = page.locator('[data-panel="next"] .marked .what').inner_text()
    assert came == recorded["seen"][10]


def round_half(x):
    return int(x + 0.5)


@pytest.mark.slow  # by default: the toggle
def test_the_ladder_says_what_each_rung_changes(visit, path):
    page = visit(path)
    slider = page.get_by_label("Rung of the ladder")
    slider.focus()
    assert page.locator(".rung h3").inner_text().startswith("R0")
    page.keyboard.press("ArrowRight")
    assert page.locator(".rung h3").inner_text().startswith("R1 ")
    changed = page.locator(".factors .changed dt").all_inner_texts()
    assert changed == ["aims at", "histories", "who says what is good"]
    page.keyboard.press("End")
    assert page.locator(".rung h3").inner_text().startswith("R8-sum")


def test_what_is_forgotten_is_told_in_both_costumes(visit, path):
    curves = explorer_page.shipped_forgetting()
    page = visit(path)
    assert page.locator("[data-forgetting]").count() == len(curves) == 5
    assert page.locator("#forgetting").inner_text() == "What an agent forgets"
    total = curves["RepeatPreviousEasy"]["total"]["agent"]
    assert f"{total:.1f}" in page.locator('[data-forgetting="RepeatPreviousEasy"]').inner_text()
    page.get_by_label("Language model", exact=True).check()
    assert page.locator("#forgetting").inner_text() == "What a language model forgets"


@pytest.mark.slow
@pytest.mark.parametrize("costume", ["rl", "lm"])
def test_it_fits_a_phone(visit, path, costume):
    page = visit(path, f"#{costume}/NoisyPositionOnlyCartPoleEasy/4", viewport=PHONE)
    shown(page, "NoisyPositionOnlyCartPoleEasy")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


PHONE = {"width": 390, "height": 800}


@pytest.mark.slow  # by default: labels and keys of the other tests
@pytest.mark.parametrize(
    ("scheme", "fragment"),
    [("light", "rl/CountRecallEasy/12"), ("dark", "lm/LabyrinthEscapeEasy/3")],
)
def test_everybody_can_use_it(visit, path, workshop, scheme, fragment):
    page = visit(path, f"#{fragment}", color_scheme=scheme, reduced_motion="reduce")
    shown(page, fragment.split("/")[1])
    page.wait_for_timeout(300)  # colours of the toggle
    page.evaluate((workshop / "node_modules/axe-core/axe.min.js").read_text("utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not grave, [(one["id"], one["nodes"][0]["html"][:200]) for one in grave]


@pytest.mark.slow
def test_it_works_inside_a_notebook(visit, path, tmp_path):
    notebook = tmp_path / "notebook.html"
    inside = explorer_page.Embedded(path.read_text("utf-8"))._repr_html_()
    notebook.write_text(f"<!doctype html><title>a notebook</title>{inside}", encoding="utf-8")
    frame = visit(notebook).frame_locator("iframe")
    frame.get_by_label("One step on").click()
    frame.get_by_text("Step 1 of").first.wait_for()


@pytest.mark.slow  # by default: the built page works
def test_the_built_page_is_that_of_the_sources(workshop):
    build = ["npm", "run", "build", "--silent"]
    subprocess.run(build, cwd=workshop, check=True, capture_output=True)
    built = (workshop / "built/page.html").read_text("utf-8")
    assert built == explorer_page.BUILT.read_text("utf-8"), (
        "cd experiments/explorer && npm run build"
    )


def test_every_environment_is_shipped():
    assert list(explorer_page.shipped()) == list(ENVS)
