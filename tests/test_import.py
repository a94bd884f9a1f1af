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

HEAVY = ("numpy", "pandas", "pyarrow", "jax")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    ["macjax", "macjax.cli", "macjax.coordination", "macjax.plots", "macjax.powerflow"],
)
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


def test_the_package_itself_is_light():
    """What takes long is imported at its first use, after signals are watched."""
    for module in ("macjax", "macjax.cli"):
        code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
        assert run(code).strip() == "[]"


def test_names_of_the_package_are_those_declared():
    """The imports for type checkers, the table of homes and `__all__` agree."""
    import ast
    import inspect

    import macjax

    declared = {}
    for node in ast.walk(ast.parse(inspect.getsource(macjax))):
        if isinstance(node, ast.ImportFrom):
            home = (node.module or "").removeprefix("macjax")
            declared |= {alias.asname: home.lstrip(".") for alias in node.names}
    declared = {k: v for k, v in declared.items() if k}
    assert sorted(declared) == macjax.__all__ and sorted(dir(macjax)) == dir(macjax)
    eager = ("_errors", "_status", "_version")
    lazy = {k: v or None for k, v in declared.items() if v not in eager}
    assert lazy == macjax._HOMES
    for name in macjax.__all__:
        assert getattr(macjax, name) is getattr(macjax, name)
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        macjax.sovle  # noqa: B018
