"""What the commands on prices do."""

import json
from pathlib import Path

from macjax import plots
from macjax._commands import DONE
from macjax._errors import MacjaxError, SettingsError
from macjax._output import (
    check_files,
    is_solution,
    json_value,
    note,
    number_text,
    print_json,
)

VEHICLES, FEEDERS, SUMMARY = "vehicles.csv", "feeders.csv", "summary.json"
FIGURE = "equilibrium.png"
FILES = (VEHICLES, FEEDERS, SUMMARY, FIGURE)
SHOWN_ROWS = 5
FEEDER_COLUMNS = ["feeder_id", "price_sum", "kappa", "upgrade_kw", "residual"]
FEEDER_COLUMNS += ["collected", "congestion_rent", "upgrade_cost"]
VEHICLE_COLUMNS = ["vehicle_id", "weight", "energy_kwh", "payment", "flat_payment"]
VEHICLE_COLUMNS += ["gain", "regret"]


def equilibrium(args) -> int:
    """Regrets, complementary slackness, payments and rents at a solution's prices."""
    import macjax

    folder, out = Path(args.input), Path(args.out) if args.out else None
    names = []
    if not is_solution(folder):
        raise SettingsError(f"'{folder}' is not a solution; 'macjax solve' writes one")
    if out:
        check_files(out, FILES)
    solution = macjax.Solution.read(folder)
    found = macjax.equilibrium(solution.scenario, solution)
    vehicles = found.regret.merge(found.bills.drop(columns="weight"), on="vehicle_id")
    feeders = found.complementarity.merge(
        found.revenue.drop(columns="energy_kwh"), on="feeder_id"
    )
    if out:
        out.mkdir(parents=True, exist_ok=True)
        vehicles.to_csv(out / VEHICLES, index=False)
        feeders.to_csv(out / FEEDERS, index=False)
        text = json.dumps(json_value(found.summary()), indent=2, allow_nan=False)
        (out / SUMMARY).write_text(text + "\n", encoding="utf-8")
        names = [VEHICLES, FEEDERS, SUMMARY, *_drawn(found, out)]
    if args.json:
        print_json({"summary": found.summary(), "feeders": feeders, "out": out})
        return DONE
    print(found.summary().map(number_text).to_string())
    dearest = feeders.nlargest(SHOWN_ROWS, "congestion_rent")[FEEDER_COLUMNS]
    print(f"\nFeeders with the largest rent:\n{_text(dearest)}")
    payers = vehicles.nlargest(SHOWN_ROWS, "payment")[VEHICLE_COLUMNS]
    print(f"\nVehicles that pay most:\n{_text(payers)}")
    if out:
        print(f"\nwritten to {out}: {', '.join(names)}")
    return DONE


def _text(frame) -> str:
    """A frame with its numbers as people read them."""
    shown = {name: frame[name].map(number_text) for name in frame.columns}
    return frame.assign(**shown).to_string(index=False)


def _drawn(found, out: Path) -> list[str]:
    """Draw the figure where matplotlib is there; the names of what was written."""
    try:
        matplotlib = plots.require_matplotlib()
    except MacjaxError as error:
        note(f"no figure: {error}")
        return []
    figure = matplotlib.figure.Figure(figsize=(11.0, 4.6), layout="constrained")
    found.plot(figure.subplots(1, 2))
    figure.savefig(out / FIGURE, dpi=plots.DOTS_PER_INCH)
    return [FIGURE]
