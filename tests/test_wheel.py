"""The wheel carries the package, its data with the notice, and the command."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from macjax._version import __version__

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    assert path.name == f"macjax-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


@pytest.mark.slow
def test_wheel_carries_every_file_of_the_package(wheel):
    files = {p for p in (ROOT / "macjax").rglob("*") if p.is_file()}
    expected = {
        p.relative_to(ROOT).as_posix() for p in files if "__pycache__" not in p.parts
    }
    packed = set(wheel.namelist())
    assert expected <= packed
    assert any(name.startswith("macjax/data/") for name in packed)


@pytest.mark.slow
def test_wheel_carries_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"macjax", f"macjax-{__version__}.dist-info"}


@pytest.mark.slow
def test_wheel_has_the_command_and_the_licences(wheel):
    info = f"macjax-{__version__}.dist-info"
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "macjax = macjax.cli:main" in entry_points
    names = wheel.namelist()
    assert f"{info}/licenses/LICENSE" in names
    data = [n for n in names if n.startswith("macjax/data/")]
    assert any("LICENSE" in n or "NOTICE" in n for n in data)
