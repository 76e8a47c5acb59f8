"""All Python and shell of README.md and docs/ runs, page by page, at tiny size."""

import documents
import pytest


def page(path):
    marks = [] if documents.is_fast(path) else [pytest.mark.slow]
    return pytest.param(
        path, marks=marks, id=path.relative_to(documents.ROOT).as_posix()
    )


WITH_CODE = [page(path) for path in documents.PAGES if any(documents.blocks(path))]


@pytest.mark.parametrize("path", WITH_CODE)
def test_the_blocks_of_a_page_run_in_order(path, tiny):
    documents.run(path, documents.blocks(path))


def test_few_blocks_are_not_run_and_each_says_why():
    reasons = [
        block.reason
        for path in documents.PAGES
        for block in documents.blocks(path)
        if block.reason
    ]
    assert len(reasons) <= 6, reasons
    for reason in reasons:
        assert reason.startswith(("needs the network", "takes hours")), reason


def test_what_a_page_leaves_to_another_file_is_left_to_one_that_is_there():
    files = {
        block.elsewhere
        for path in documents.PAGES
        for block in documents.blocks(path)
        if block.elsewhere
    }
    assert ".ci/run" in files
    assert not [name for name in files if not (documents.ROOT / name).is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("path", documents.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path, tiny):
    found = list(documents.cells(path))
    assert len(found) > 3
    documents.run(path, found)


def test_a_block_that_fails_is_named_by_page_and_line(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("Text.\n\n```python\nx = 1\nx.nothing\n```\n", "utf-8")
    with pytest.raises(AttributeError) as raised:
        documents.run(path, documents.blocks(path))
    place = raised.traceback[-1]
    assert (str(place.path), place.lineno + 1) == (str(path), 5)


def test_commands_are_those_of_this_repository():
    with pytest.raises(ValueError, match="no test runs"):
        documents.run_shell("rm -r runs")
    with pytest.raises(AssertionError, match="ended with 2"):
        documents.run_shell("python -m zoo show no_such_entry")
