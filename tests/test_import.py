"""Importing macjax has no side effect that another library in the process would see."""

import json
import subprocess
import sys

import pytest

IMPORT = """
import json, sys
import jax
before = dict(jax.config.values)
import {module}
after = dict(jax.config.values)
changed = {{k: [str(before.get(k)), str(v)] for k, v in after.items()
           if before.get(k) != v}}
loaded = [m for m in ("matplotlib", "tqdm", "scipy.optimize") if m in sys.modules]
print(json.dumps({{"changed": changed, "loaded": loaded}}))
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["macjax", "macjax.cli", "macjax.plots"])
def test_import_changes_no_jax_setting_and_loads_no_matplotlib(module):
    found = json.loads(run(IMPORT.format(module=module)))
    assert found["changed"] == {}
    assert "matplotlib" not in found["loaded"]


def test_import_starts_no_device():
    code = (
        "import macjax, jax._src.xla_bridge as bridge; "
        "print(bridge.backends_are_initialized())"
    )
    assert run(code).strip() == "False"


def test_version_has_one_place():
    code = "import macjax; print(macjax.__version__)"
    from macjax._version import __version__

    assert run(code).strip() == __version__
