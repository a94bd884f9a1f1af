"""Documentation: generated pages are up to date, programs run, links lead somewhere."""

import importlib
import os
import re
import subprocess
import sys

import pytest
from doc_pages import COMPLETE, DOCS, PAGES, ROOT, load, name_of, program

pytestmark = pytest.mark.skipif(not COMPLETE, reason="not the whole repository")
# The programs of README.md are in test_readme.py.
RUN = [page for page in PAGES if page.parent != ROOT and program(page)]
# Their programs are short; the others run with the slow tests.
SHORT = {"format", "importers", "solutions"}


def test_generated_pages_are_up_to_date():
    wrong = load("make").out_of_date()
    assert not wrong, f"run python docs/make.py: {wrong}"


def test_a_change_of_schema_or_docstring_is_noticed(monkeypatch):
    import macjax.baselines
    from macjax.results import schema

    make = load("make")
    row, columns = schema.TABLES["loads"]
    changed = schema.TABLES | {"loads": (row, columns | {"new_kw": "new [kW]"})}
    monkeypatch.setattr(sys.modules["solutions_page"], "TABLES", changed)
    monkeypatch.setattr(macjax.baselines.unmanaged, "__doc__", "Otherwise.")
    wrong = make.out_of_date()
    assert wrong == ["reference/macjax.baselines.md", "solutions.md"]


def test_docstrings_become_markdown():
    pages = load("reference_pages")

    def documented():
        """One line.

            y = a x

        Arguments:
            a, b: numbers [kW]
                that go on.

        Returns:
            A number.
        """

    assert pages.docstring(documented) == (
        "One line.\n\n    y = a x\n\n**Arguments**\n\n- `a`, `b`: numbers [kW]\n"
        "  that go on.\n\n**Returns**\n\nA number."
    )
    assert pages.parameters_of(load("make").main) == (
        ["arguments: list[str]"],
        " -> int",
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem not in SHORT)) for p in RUN],
    ids=name_of,
)
def test_programs_run(page, tmp_path):
    """All blocks of a page are one program, from top to bottom."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    command = [sys.executable, "-W", "error", "-c", program(page)]
    subprocess.run(command, cwd=tmp_path, env=environment, timeout=1100, check=True)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in {_anchor(head) for head in heads}, link


def _anchor(head: str) -> str:
    """The anchor that GitHub makes of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page):
    from macjax._parser import build_parser

    commands = build_parser()._subparsers._group_actions[0].choices
    text = page.read_text("utf-8")
    named = set(re.findall(r"`macjax (\w+)", text))
    for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        named |= set(re.findall(r"^macjax (\w+)", block, re.MULTILINE))
    assert named <= set(commands)


def test_every_key_and_number_of_a_solution_folder_is_explained(tmp_path):
    import json

    import pyarrow.parquet as pq

    import macjax

    fleet = macjax.synthetic.fleet(20, slots=12)
    macjax.solve(fleet, progress=False).write(tmp_path / "mac")
    text = (DOCS / "solutions.md").read_text("utf-8")
    record = json.loads((tmp_path / "mac" / "solution.json").read_text("utf-8"))
    assert not [
        key for key in record if f"`{key}`" not in text and f'"{key}"' not in text
    ]
    for path in (tmp_path / "mac").glob("*.parquet"):
        for field in pq.read_schema(path):
            kinds = ("double", "timestamp", "large_string")
            if field.name in ("stay", "trip", "iteration"):
                kinds = ("int64",)
            elif field.name.endswith("_id"):
                kinds = ("int64", "large_string")
            assert str(field.type).startswith(kinds), f"{path.name}: {field}"


def test_every_table_of_a_tariff_case_is_explained():
    """Its columns, which of them may be left out, and whether the table may."""
    from macjax.tariffs.tables import TABLES

    text = (DOCS / "tariffs.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)`( \*)? \| .*? \| (.*) \|$", text, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(TABLES)
    for name, star, columns in rows:
        needed, _, more = columns.partition("(")
        assert bool(star) != TABLES[name].required, name
        for column in TABLES[name].columns:
            said = needed if column.required else more
            assert f"`{column.name}`" in said, f"{name}.{column.name}"


def test_tariffs_are_listed():
    from macjax.baselines import tariff_names

    text = (DOCS / "solving.md").read_text("utf-8")
    assert all(f"`{name}`" in text for name in tariff_names())


CONSTANT = re.compile(r"^\| `([\w.]+)\.([A-Z_]+)` \| (\S+) \|", re.MULTILINE)


def test_constants_of_the_algorithm_are_those_of_the_code():
    found = CONSTANT.findall((DOCS / "algorithm.md").read_text("utf-8"))
    assert len(found) >= 20
    for module, name, value in found:
        there = getattr(importlib.import_module(f"macjax.{module}"), name)
        assert there == float(value), f"{module}.{name} is {there}"


def test_every_page_can_be_reached():
    """From docs/README.md, or from the index of the reference."""
    index = {DOCS / "README.md": DOCS, DOCS / "reference" / "README.md": DOCS}
    linked = set()
    for page in index:
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text("utf-8"))
        linked |= {(page.parent / link).resolve() for link in links}
    pages = set(DOCS.rglob("*.md")) - index.keys()
    assert pages <= linked, sorted(pages - linked)
    assert "docs/README.md" in (ROOT / "README.md").read_text("utf-8")
