"""What the README shows runs, and the files and options it names are there."""

import contextlib
import io
import re
import tomllib
from pathlib import Path

import pytest
from doc_pages import blocks

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
README = PAGE.read_text(encoding="utf-8")
SHOWN = re.search(r"```text\n(.*?)```", README, re.DOTALL)[1]
NUMBER = re.compile(r"\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Each block after the other, as a reader would: what it printed, and the names."""
    from matplotlib import pyplot

    folder = tmp_path_factory.mktemp("readme")
    (folder / "configs").symlink_to(ROOT / "configs")
    names, printed = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks(PAGE):
            text = io.StringIO()
            if not block.is_left_out:
                with contextlib.redirect_stdout(text):
                    exec(compile(block.code, "README.md", "exec"), names)
            printed.append(text.getvalue())
    pyplot.close("all")
    return names, printed, folder


def test_the_first_example_prints_what_is_shown(ran):
    """Words as they are; numbers to the certified gap that was asked for."""
    printed = ran[1][0]
    assert NUMBER.sub("", printed).split() == NUMBER.sub("", SHOWN).split()
    there = [float(n.replace(",", "")) for n in NUMBER.findall(printed)]
    shown = [float(n.replace(",", "")) for n in NUMBER.findall(SHOWN)]
    assert there == pytest.approx(shown, rel=1e-3)


def test_the_first_figure_is_what_is_said_of_it(ran):
    """Feeder, upgrade and evenings that it shows, here and now."""
    unmanaged, mac = ran[0]["unmanaged"], ran[0]["mac"]
    worst = unmanaged.upgrades().nlargest(1, "upgrade_kw").iloc[0]
    assert f"{worst['upgrade_kw']:,.0f} kW of upgrade with unmanaged" in README
    evenings = []
    for solution in (unmanaged, mac):
        loads = solution.loads()
        over = loads["feeder_id"].eq(worst["feeder_id"]) & loads["overload_kw"].gt(0)
        evenings.append(loads["time"][over].dt.date.nunique())
    assert evenings == [6, 0] and "on six evenings" in README


def test_the_first_example_is_short():
    assert len(blocks(PAGE)[0].code.strip().splitlines()) <= 14


def test_what_the_programs_leave(ran):
    names, printed, folder = ran
    assert names["mac"].status == "solved"
    assert (folder / "out" / "mac" / "solution.json").exists()
    assert (folder / "report.html").stat().st_size > 100_000
    assert (folder / "csv" / "tariff.csv").exists()
    assert list(names["frame"]["charger_power"]) == [1, 2]
    assert names["run"].converged
    assert names["part"].status == "solved"
    assert abs(names["part"].objective / names["mac"].objective - 1) < 2e-3


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(link):
    assert link.startswith("http") or (ROOT / link).exists()


def test_all_extras_are_named():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    install = README.partition("## Install")[2].partition("\n## ")[0]
    named = set(re.findall(r"'\.\[(\w+)\]'", install))
    named |= set(re.findall(r"`(\w+)`", install))
    assert named == set(settings["project"]["optional-dependencies"]) - {"bench"}


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+) ", README, re.MULTILINE)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_lines_of_commands_are_understood():
    """Every command line that README shows, up to the files that it names."""
    from macjax._parser import build_parser

    lines = re.findall(r"^macjax (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        assert build_parser().parse_args(line.split()).run
