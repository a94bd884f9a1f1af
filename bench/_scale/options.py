"""Values of the benches' options, judged before anything is computed."""

import argparse
import math
from pathlib import Path


def positive(text: str) -> float:
    """A number above 0."""
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return number


def whole(text: str) -> int:
    """A whole number of at least 1; 1e6 is one too."""
    number = positive(text)
    if number != int(number):
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text}")
    return int(number)


def several(kind, text: str) -> list:
    """Values with commas between them, at least one."""
    found = [kind(word) for word in text.split(",") if word.strip()]
    if not found:
        raise argparse.ArgumentTypeError("must name at least one value")
    return found


def numbers(text: str) -> list[int]:
    """Whole numbers of at least 1 with commas between them."""
    return several(whole, text)


def gaps(text: str) -> list[float]:
    """Numbers above 0 with commas between them."""
    return several(positive, text)


def record_file(out: Path, name: str) -> Path:
    """The JSON file of a record: `out`, or a file of that name in the folder `out`.

    Raises:
        SystemExit: it cannot be written.
    """
    path = out if out.suffix == ".json" and not out.is_dir() else out / name
    beside = path.with_suffix(path.suffix + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise SystemExit(f"--out {path} cannot be written: {error.strerror}") from None
    if path.is_dir():
        raise SystemExit(f"--out {path} cannot be written: it is a folder")
    return path
