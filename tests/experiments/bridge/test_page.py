"""The page of an experiment: one self-contained file."""

import io
import re
from html.parser import HTMLParser

from matplotlib.figure import Figure
from rich.console import Console

from experiments.bridge.findings import Finding
from experiments.bridge.page import Grid, Picture, Section, print_findings, print_grid, write_page

FINDINGS = [
    Finding("H1", "sum < label", "0.4 (0.2 to 0.6)", "holds", primary=True),
    Finding("H2", "alike", "3.0 (1.0 to 9.0)", "inconclusive"),
]
GRID = Grid("times", ("cell", "seconds"), [("a & b", 1.5), ("c", 2)], note="on two cores")


class Tags(HTMLParser):
    """All tags that opened, and those that never closed."""

    void = ("meta", "link", "img")

    def __init__(self):
        super().__init__()
        self.seen, self.stack = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.void:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def page(tmp_path):
    figures = [Figure(figsize=(2, 1)) for _ in range(2)]
    for figure in figures:
        figure.subplots().plot([0, 1])
    pictures = [Picture(figure, f"line {i}") for i, figure in enumerate(figures)]
    sections = [Section("Curves", "One.\n\nTwo <b>.", [*pictures, GRID])]
    path = write_page(tmp_path / "p.html", "A & B", "It <holds>.", FINDINGS, sections, {"seeds": 5})
    return path.read_text()


def test_all_stands_in_one_file_and_nothing_is_fetched(tmp_path):
    text = page(tmp_path)
    tags = Tags()
    tags.feed(text)
    assert not tags.stack
    names = [tag for tag, _ in tags.seen]
    assert names.count("img") == 2
    for _, attributes in tags.seen:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("data:", "#")), "a place on the page"
    assert [a["alt"] for tag, a in tags.seen if tag == "img"] == ["line 0", "line 1"]
    assert not re.search(r"https?://", re.sub(r"base64,[^\"]*", "", text))


def test_words_are_escaped_and_outcomes_named(tmp_path):
    text = page(tmp_path)
    for word in ("A &amp; B", "It &lt;holds&gt;.", "Two &lt;b&gt;.", "a &amp; b", "sum &lt; label"):
        assert word in text
    assert '<span class="holds">holds</span>' in text and "H1*" in text
    assert 'data-value="holds"' in text, "what a column of outcomes is sorted by"
    assert "&#34;seeds&#34;: 5" in text and "&#34;jax&#34;" in text


def test_the_terminal_shows_the_same():
    console = Console(width=120, file=io.StringIO())
    print_findings(FINDINGS, console)
    print_grid(GRID, console)
    text = console.file.getvalue()
    for word in ("H1*", "inconclusive", "3.0 (1.0 to 9.0)", "on two cores", "a & b"):
        assert word in text
