"""Write the generated pages: python docs/make.py; --check says which are out of date.

docs/format.md comes from the schema of the scenario, docs/solutions.md from that of
solution folders, docs/commands.md from the parser, docs/configuration.md from what
reads configurations, docs/reference from the docstrings.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # the pages are of this tree, installed or not

import commands_page  # noqa: E402
import configuration_page  # noqa: E402
import reference_pages  # noqa: E402
import solutions_page  # noqa: E402

from macjax.scenario import schema_page  # noqa: E402


def generated() -> dict[str, str]:
    """Text of every generated page by its path below docs."""
    found = {"format.md": schema_page(), "solutions.md": solutions_page.page()}
    found["commands.md"] = commands_page.page()
    found["configuration.md"] = configuration_page.page()
    found |= {f"reference/{k}": text for k, text in reference_pages.pages().items()}
    return {name: text.rstrip() + "\n" for name, text in found.items()}


def out_of_date() -> list[str]:
    """Pages that differ from what would be generated, and pages of nothing."""
    texts = generated()
    wrong = [
        name
        for name, text in texts.items()
        if not (path := DOCS / name).is_file() or path.read_text("utf-8") != text
    ]
    there = {f"reference/{path.name}" for path in DOCS.glob("reference/*")}
    return sorted(wrong) + sorted(there - texts.keys())


def write() -> list[str]:
    """Write what is out of date, remove pages of nothing; returns their names."""
    texts, changed = generated(), out_of_date()
    for name in changed:
        path = DOCS / name
        if name in texts:
            path.parent.mkdir(exist_ok=True)
            path.write_text(texts[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main(arguments: list[str]) -> int:
    """Write, or with --check only say what would be; 1 if something would."""
    checks = arguments == ["--check"]
    if arguments and not checks:
        print(__doc__, file=sys.stderr)
        return 2
    changed = out_of_date() if checks else write()
    for name in changed:
        print(f"{'out of date' if checks else 'written'}: docs/{name}")
    return int(checks and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
