"""Child processes that answer with one line of JSON, and what they ran on.

A part of a measurement runs in an interpreter of its own: its peak memory is then its
own, and solvers that cannot share a process do not meet. The answer is the last line
of its stdout; whatever it prints to stderr is shown as it comes.
"""

import json
import math
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "macjax",
    "jax",
    "jaxlib",
    "equinox",
    "numpy",
    "pandas",
    "pyarrow",
    "clarabel",
    "scipy",
    "highspy",
    "ortools",
    "mpax",
)
# --device to the names JAX has for it; the first is where arrays go.
PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu"}


def run_part(script: str, part: str, options: dict, limit: float | None = None) -> dict:
    """Run `script --part part options` and read its answer.

    Arguments:
        script: path of the script.
        part: name of the part.
        options: what the part is given, plain values; "device" chooses JAX's.
        limit: most seconds for the whole process, or None.

    Returns:
        The answer, or {"status": why there is none}.
    """
    environment = dict(os.environ)
    if options.get("device") in PLATFORMS:
        environment["JAX_PLATFORMS"] = PLATFORMS[options["device"]]
    command = [sys.executable, script, "--part", part, json.dumps(options)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=limit, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"status": "time limit"}
    if done.returncode == -signal.SIGALRM:
        return {"status": "time limit"}
    if done.returncode == -signal.SIGKILL:
        return {"status": "killed (out of memory?)"}
    if done.returncode:
        return {"status": f"failed with code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def find_device(script: str, name: str) -> str:
    """Name of the device that JAX has for `--device`; exits if there is none."""
    found = run_part(script, "device", {"device": name})
    if found["status"] != "ok":
        raise SystemExit(
            f"--device {name}: JAX finds no such device here; for a GPU install "
            "macjax[gpu]"
        )
    return f"{found['count']} x {found['name']}"


def end_after(seconds: float) -> None:
    """Let the system end this process, if it is still there, after some seconds."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def peak_gib() -> float:
    """Largest resident size of this process [GiB]."""
    status = Path("/proc/self/status")
    if status.exists():  # there getrusage would count the parent's as well
        line = next(x for x in status.read_text().splitlines() if "VmHWM" in x)
        return int(line.split()[1]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def environment() -> dict:
    """Versions, machine and commit, to stand beside the figures."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "versions": versions,
        "commit": commit(),
        "machine": platform.machine(),
        "cores": cores(),
        "date": time.strftime("%Y-%m-%d"),
    }


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def commit() -> str | None:
    """The commit of the checkout, None without one.

    `-dirty` stands behind it where files differ, other than the records themselves.
    """
    git = ["git", "-C", str(ROOT)]
    try:
        done = subprocess.run(
            [*git, "describe", "--always"], capture_output=True, text=True
        )
        differs = subprocess.run(
            [*git, "diff", "--quiet", "HEAD", "--", ".", ":(exclude)bench/results"],
            capture_output=True,
        )
    except OSError:
        return None
    name = done.stdout.strip()
    return name + "-dirty" * (differs.returncode == 1) if name else None


def plain(value) -> Any:
    """A value as JSON knows it; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def write_json(path: Path, record: dict) -> None:
    """Write a record at once, by way of a file beside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".tmp")
    beside.write_text(json.dumps(plain(record), indent=1) + "\n", "utf-8")
    os.replace(beside, path)


def print_record(record: dict) -> None:
    """Keys and values below one another, to stdout, without the versions."""
    shown = {key: value for key, value in record.items() if key != "versions"}
    width = max(map(len, shown), default=0)
    for key, value in shown.items():
        print(f"{key:<{width}}  {value}")


def tell(text: str) -> None:
    """A line of progress, to stderr."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
