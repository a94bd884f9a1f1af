"""The pages of documentation, their programs, and the public names, for tests."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# A source distribution does not have all of it.
COMPLETE = all((ROOT / name).is_dir() for name in ("docs", "bench", "notebooks"))
_ABOVE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = [*(page for page in _ABOVE if page.exists()), *sorted(DOCS.rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
_BLOCK = re.compile(
    r"^```python(?: needs=(\w+)| run=(\w+))?\n(.*?)^```", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """One piece of Python on a page.

    Arguments:
        needs: a package without which it is left out, or nothing.
        run: what runs it, where it cannot run with the others of its page:
            `processes` are those of tests/driver/test_processes.py.
        code: its text.
    """

    needs: str
    run: str
    code: str

    @property
    def is_left_out(self) -> bool:
        """Whether it is not for the program of its page, or cannot run here."""
        return bool(self.run or (self.needs and not find_spec(self.needs)))


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Python of a page, from top to bottom."""
    if "reference" in page.parts:  # signatures
        return []
    return [Block(*found) for found in _BLOCK.findall(page.read_text("utf-8"))]


def program(page: Path) -> str:
    """What of a page can run here, as one program."""
    return "\n".join(block.code for block in blocks(page) if not block.is_left_out)


def load(name: str):
    """A module of docs/."""
    sys.path.insert(0, str(DOCS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(DOCS))
