"""Build the bundled Bay Area scenario from the bundled survey tables.

    python -m macjax.regions.example OUT_FOLDER

writes OUT_FOLDER/scenario and OUT_FOLDER/facts.json; older ones are replaced.
"""

import argparse
import json
from pathlib import Path

from ..survey import read_survey
from .builder import build


def main(arguments: list[str] | None = None) -> int:
    """Command line: build, write the scenario and its facts."""
    parser = argparse.ArgumentParser(
        prog="python -m macjax.regions.example", description=__doc__
    )
    parser.add_argument("out_folder", type=Path)
    parser.add_argument("--raw", type=Path, help="folder of other survey tables")
    given = parser.parse_args(arguments)
    built = build(read_survey(given.raw))
    given.out_folder.mkdir(parents=True, exist_ok=True)
    built.scenario.write(given.out_folder / "scenario")
    text = json.dumps(built.facts, indent=2) + "\n"
    (given.out_folder / "facts.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
