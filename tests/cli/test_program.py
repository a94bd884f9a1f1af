"""What the command sets up in JAX: in processes of their own, JAX starts only once."""

import json
import os
import subprocess
import sys

import pytest

REPORT = """
import json, os
from macjax._program import set_up_jax
set_up_jax()
import jax
print(json.dumps([jax.device_count(), jax.config.jax_compilation_cache_dir]))
"""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def set_up(tmp_path, **environment):
    """Devices and cache folder after `set_up_jax` in a new process."""
    unset = ("JAX_NUM_CPU_DEVICES", "JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")
    kept = {k: v for k, v in os.environ.items() if k not in unset}
    found = subprocess.run(
        [sys.executable, "-c", REPORT],
        env=kept | {"XDG_CACHE_HOME": str(tmp_path / "cache")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(found.stdout)


@pytest.mark.skipif(CORES is None, reason="cores of the process are not known here")
def test_all_cores_and_a_cache_of_the_user(tmp_path):
    devices, cache = set_up(tmp_path)
    assert devices == min(CORES, 16)
    assert cache.startswith(str(tmp_path / "cache" / "macjax"))
    assert os.path.isdir(cache)


def test_what_the_user_set_stays(tmp_path):
    own = str(tmp_path / "own")
    devices, cache = set_up(
        tmp_path, JAX_NUM_CPU_DEVICES="3", JAX_COMPILATION_CACHE_DIR=own
    )
    assert (devices, cache) == (3, own)
    assert not (tmp_path / "cache").exists()


LATE = """
import macjax, jax
jax.numpy.ones(3) + 1
try:
    macjax.use_all_cores(most=jax.device_count() + 1)
except macjax.SettingsError as error:
    print(error)
print(macjax.use_all_cores(most=1))
"""


@pytest.mark.skipif((CORES or 1) < 2, reason="one core is what JAX has by itself")
def test_all_cores_asked_for_too_late():
    environment = {k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"}
    found = subprocess.run(
        [sys.executable, "-c", LATE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    first, second = found.stdout.splitlines()
    assert "too late" in first and second == "1"


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    _, cache = set_up(tmp_path, XDG_CACHE_HOME=str(tmp_path / "file"))
    assert cache is None
