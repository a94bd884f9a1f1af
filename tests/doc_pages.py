"""The pages of documentation, their programs, and the public names, for tests."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# A source distribution does not have all of it.
COMPLETE = all((ROOT / name).is_dir() for name in ("docs", "bench", "notebooks"))
_ABOVE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = [*(page for page in _ABOVE if page.exists()), *sorted(DOCS.rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
_BLOCK = re.compile(r"^```python(?: needs=(\w+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """Python of a page: what it needs (or nothing), and the code."""
    if "reference" in page.parts:  # signatures
        return []
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def load(name: str):
    """A module of docs/."""
    sys.path.insert(0, str(DOCS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(DOCS))
