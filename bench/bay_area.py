"""The study of a region in one go, with its time and memory.

    python bench/bay_area.py --json bench/results/bay_area_sample.json
    python bench/bay_area.py --config configs/napa_county.toml --json out/napa.json

Runs `macjax study CONFIG` in a process of its own, from nothing to report and figures,
into a folder that is new; writes all numbers of the report but those by feeder, wall
time and largest memory. With `--figures` the map and the spread over the feeders are
kept beside.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _scale.process import environment, write_json

KEPT = ("map.png", "feeders.png", "flexibility.png")


def main() -> int:
    """Run the command and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", default="configs/bay_area_sample.toml")
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--figures", type=Path, help="folder for some of the figures")
    parser.add_argument("--note", default="", help="said in the record, e.g. of load")
    parser.add_argument(
        "options", nargs="*", help="of macjax study, behind --, such as --gap 1e-2"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "study"
        command = [sys.executable, "-m", "macjax", "study", args.config]
        command += ["--out", str(out), *args.options]
        begin = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        wall = time.monotonic() - begin
        if not (out / "result.json").is_file():
            return code or 1
        record = json.loads((out / "result.json").read_text("utf-8"))
        if args.figures:
            args.figures.mkdir(parents=True, exist_ok=True)
            for name in KEPT:
                if (out / "figures" / name).is_file():
                    shutil.copy(out / "figures" / name, args.figures / name)
    # Interpreter, libraries and compilation are in the time of the command.
    record = {
        "command": f"macjax study {args.config} {' '.join(args.options)}".strip(),
        "exit_code": code,
        "wall_seconds": round(wall, 1),
        "peak_gib": record.pop("peak_gib"),
        "note": args.note,
        **environment(),
        "records": record,
    }
    if args.json:
        write_json(args.json, record)
    else:
        print(json.dumps(record, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
