"""A picture of a page's beginning, taken by a headless Chromium through playwright."""

from __future__ import annotations

import shutil
from pathlib import Path

from experiments.results.errors import UserError

SIZE = {"width": 1240, "height": 1000}


def take_picture(page: Path, picture: Path, dark: bool = False) -> None:
    """Writes a PNG; a UserError where playwright or chromium is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("a picture needs playwright: pip install playwright") from None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise UserError("a picture needs chromium: apt-get install chromium")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport=SIZE, color_scheme=scheme, device_scale_factor=1.5)
        view = context.new_page()
        view.goto(page.resolve().as_uri())
        view.screenshot(path=picture)
        browser.close()
