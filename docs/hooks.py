"""What the site has beside the pages in docs/: reference, tables, notebooks, pictures.

These are hooks of MkDocs, see mkdocs.yml. Of the library nothing is imported but the
names of the zoo's entries, so that building the site needs no TensorFlow.
"""

import ast
import fnmatch
import json
import pathlib
import re

import jupytext
from mkdocs.structure.files import File, InclusionLevel

import zoo

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "keras_genai"
# The pages of the reference, and the packages and modules on each.
PACKAGES = (
    "tasks models modalities layers samplers data training evaluation convert serving"
)
REFERENCE = {name: [name] for name in (*PACKAGES.split(), "export")}
REFERENCE["losses"] = [
    "losses",
    "ctc",
    "preferences",
    "likelihoods",
    "schedules",
    "optimizers",
]
COLUMNS = "| entry | figure | value | parameters | steps | seconds |\n"


def on_files(files, config):
    """Adds the pages and files that are made here."""
    for place, content in _made():
        made = File.generated(config, place, content=content)
        if place.endswith(".ipynb"):
            made.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(made)
    return files


def on_page_markdown(markdown, page, config, files):
    """Fills in the tables of results, and finds the zoo's pictures on the site."""
    up = "../" * page.file.src_uri.count("/")
    markdown = re.sub(r"\((?:\.\./)+zoo/results/", f"({up}pictures/", markdown)
    return re.sub(
        r"<!-- results: (.+?) -->", lambda found: _table(found[1].split()), markdown
    )


def _made():
    """Yields `(place, content)` of every page or file that docs/ does not have."""
    yield "api/index.md", _overview()
    for page, parts in REFERENCE.items():
        yield f"api/{page}.md", "\n".join(_reference(page, parts))
    yield "api/zoo.md", "# zoo\n\n::: zoo\n\n::: zoo.entry\n"
    for path in sorted((ROOT / "zoo" / "results").glob("*.png")):
        yield f"pictures/{path.name}", path.read_bytes()
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.py")):
        notebook = jupytext.reads(path.read_text("utf-8"), fmt="py:percent")
        place = f"notebooks/{path.stem}"
        yield f"{place}.ipynb", jupytext.writes(notebook, fmt="ipynb")
        yield f"{place}.md", "\n\n".join(_page(notebook, f"{path.stem}.ipynb"))


def _page(notebook, download):
    """Yields the parts of a notebook as a page."""
    first, *cells = notebook.cells
    yield f"{first.source}\n\n[Download the notebook]({download})"
    for cell in cells:
        is_code = cell.cell_type == "code"
        yield f"```python\n{cell.source}\n```" if is_code else cell.source


def _overview():
    lines = [
        "# Reference",
        "",
        "Every public name can be imported from its package, as in "
        "`keras_genai.tasks.CausalLM`. The pages list them module by module.",
        "",
    ]
    for page, parts in REFERENCE.items():
        told = "; ".join(_first_line(part) for part in parts)
        lines.append(f"- [{', '.join(parts)}]({page}.md): {told}")
    return "\n".join([*lines, "- [zoo](zoo.md): the catalogue and its entries\n"])


def _reference(page, parts):
    """Yields the lines of one page of the reference."""
    yield f"# {page}\n"
    for part in parts:
        modules = sorted((PACKAGE / part).glob("[!_]*.py"))
        for module in modules or [PACKAGE / f"{part}.py"]:
            if _has_public(module):
                path = module.relative_to(ROOT).with_suffix("")
                yield f"::: {'.'.join(path.parts)}\n"


def _has_public(module):
    body = ast.parse(module.read_text("utf-8")).body
    kinds = ast.ClassDef | ast.FunctionDef
    return any(isinstance(n, kinds) and n.name[0] != "_" for n in body)


def _first_line(part):
    path = PACKAGE / part / "__init__.py"
    text = (path if path.is_file() else PACKAGE / f"{part}.py").read_text("utf-8")
    return ast.get_docstring(ast.parse(text)).split("\n")[0].rstrip(".")


def _table(patterns):
    """The recorded results of the entries that match, as a table."""
    names = [n for n in zoo.names() if any(fnmatch.fnmatch(n, p) for p in patterns)]
    rows = []
    for name in names:
        path = ROOT / "zoo" / "results" / f"{name}.json"
        if path.is_file():
            found = json.loads(path.read_text("utf-8"))
            size = f"{found['parameters']:,} | {found['steps']:,}"
            rows.append(
                f"| `{name}` | {found['metric'].replace('_', ' ')} | "
                f"{found['value']:.4f} | {size} | {found['seconds']:,.0f} |"
            )
    return COLUMNS + "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
