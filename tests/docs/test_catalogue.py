"""The page of families names every entry, and nothing that is none."""

import fnmatch
import pathlib
import re

import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "families"


def table():
    """The lines of the table, without its head."""
    text = (FOLDER / "index.md").read_text("utf-8")
    lines = [line for line in text.split("\n") if line.startswith("|")]
    return lines[2:]


def patterns():
    """Names of entries and shell patterns; `a ... b` is all that begin alike."""
    for line in table():
        entries = line.split("|")[2]
        for first, last in re.findall(r"`(\w+)` \.\.\. `(\w+)`", entries):
            stem = re.sub(r"\d+", "?", first)
            assert fnmatch.fnmatch(last, stem), line
            yield stem
        yield from re.findall(r"`([\w*]+)`", entries)


@pytest.mark.parametrize("name", zoo.names())
def test_an_entry_is_in_the_catalogue(name):
    assert any(fnmatch.fnmatch(name, pattern) for pattern in patterns())


def test_the_catalogue_names_entries_only():
    assert [pattern for pattern in patterns() if not zoo.names(pattern)] == []


def test_every_page_of_a_family_is_linked_from_the_catalogue_and_from_the_site():
    pages = {path.name for path in FOLDER.glob("*.md")} - {"index.md"}
    text = (FOLDER / "index.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+\.md)\)", text)) == pages
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert set(re.findall(r"families/(\w+\.md)", site)) - {"index.md"} == pages


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "mkdocs.yml"])
def test_every_guide_is_found_from_the_first_pages(page):
    guides = {path.name for path in (ROOT / "docs" / "guides").glob("*.md")}
    text = (ROOT / page).read_text("utf-8")
    assert set(re.findall(r"guides/(\w+\.md)", text)) == guides
