"""What the README shows runs, and the files and options it names are there."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
ALONE = [code for code in CODE[1:] if "jax.distributed" not in code]


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    from matplotlib import pyplot

    code = CODE[0]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    pyplot.close("all")
    shown = capsys.readouterr().out
    assert names["mac"].status == "solved"
    assert "feasible" in shown and "NOT feasible" not in shown
    assert (tmp_path / "out" / "mac" / "solution.json").exists()


@pytest.mark.parametrize("code", ALONE)
def test_further_examples_run_in_programs_of_their_own(code, tmp_path):
    """Some set up JAX, which must not have computed anything before.

    The one of several processes is in `tests/driver/test_processes.py`.
    """
    if "powerflow" in code and not (find_spec("pandapower") and find_spec("simbench")):
        pytest.skip("needs the extra powerflow: pip install 'macjax[powerflow]'")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    program = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(program, cwd=tmp_path, timeout=300, check=True)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(link):
    assert link.startswith("http") or (ROOT / link).exists()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`macjax (\w+)", README))))
def test_commands_exist(command):
    from macjax._parser import build_parser

    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args([command, "--help"])
    assert stop.value.code == 0


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make (\w+)`? {4}", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_tariffs_are_listed():
    from macjax.baselines import tariff_names

    for name in tariff_names():
        assert f"`{name}`" in README
