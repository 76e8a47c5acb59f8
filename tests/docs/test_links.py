"""Links between the pages lead somewhere, and every page is on the site."""

import re

import documents
import pytest

TOP = sorted(documents.ROOT.glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#[^)]*)?\)")
# Made while the site is built, see docs/hooks.py.
MADE = re.compile(r"notebooks/\w+\.md$")
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")


@pytest.mark.parametrize(
    "path", sorted({*TOP, *documents.PAGES}), ids=lambda path: path.stem
)
def test_a_link_leads_to_a_file(path):
    for target in filter(None, LINK.findall(path.read_text("utf-8"))):
        place = path.parent / target
        if MADE.search(target):
            place = place.with_suffix(".py")
        assert place.exists(), f"{path.name} links to {target}"


def test_every_page_and_notebook_is_on_the_site():
    listed = (documents.ROOT / "mkdocs.yml").read_text("utf-8")
    docs = documents.ROOT / "docs"
    for path in [*documents.PAGES, *documents.NOTEBOOKS]:
        if path.is_relative_to(docs):
            page = path.relative_to(docs).with_suffix(".md").as_posix()
            assert re.search(rf"[ :]{re.escape(page)}$", listed, re.MULTILINE), page


def test_a_test_that_a_page_names_is_there():
    paths = (documents.ROOT / "tests").rglob("test_*.py")
    known = {name for path in paths for name in TEST.findall(path.read_text("utf-8"))}
    for path in documents.PAGES:
        missing = set(NAMED.findall(path.read_text("utf-8"))) - known
        assert not missing, f"{path.name} names {missing}"
