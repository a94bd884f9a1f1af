"""What a program sets up in JAX for its own process; a library does not by itself.

All cores compute: JAX sees a CPU as as many devices as there are cores. Programs that
were compiled once are kept in the user's cache folder, so that the next run of a size
class starts at once. Settings that the user made, by environment variables, stay.
"""

import os
import platform
from pathlib import Path

from macjax._errors import SettingsError

MOST_CPU_DEVICES = 16  # beyond, their sums over the feeders cost more than they save


def use_all_cores(most: int = MOST_CPU_DEVICES) -> int:
    """Let JAX see each core as a device, over which `solve` spreads the vehicles.

    To be called before JAX computes anything. Without it a CPU is one device, which
    works with little more than one core.

    Arguments:
        most: most cores to use.

    Returns:
        how many cores are used.
    """
    import jax

    if "JAX_NUM_CPU_DEVICES" in os.environ:
        return int(os.environ["JAX_NUM_CPU_DEVICES"])
    count = max(min(_cores(), most), 1)
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        if jax.local_device_count("cpu") != count:
            raise SettingsError(
                "use_all_cores() comes too late: JAX has computed something already"
            ) from None
    return count


def set_up_jax() -> None:
    """Use all cores, and keep compiled programs between runs."""
    import jax

    use_all_cores()
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = _cache_folder()
        if folder is not None:
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cache_folder() -> Path | None:
    """A folder for compiled programs of this machine, or None if none can be made."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
        # Homes are shared between machines, programs for their processors are not.
        folder = root / "macjax" / (platform.node() or "here")
        folder.mkdir(parents=True, exist_ok=True)
        return folder if os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):
        return None
