# %% [markdown]
# # Scale: how time and memory grow with the fleet
#
# Two small fleets are solved here, on whatever this machine has. Larger ones, other
# solvers and other devices are read from the records in bench/results; nothing is
# measured on GPUs yet, and the table says so until there is a record.

# %%
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot

import macjax

try:
    here = Path(__file__).resolve().parent
except NameError:  # in a notebook
    here = Path.cwd()
results = here.parent / "bench" / "results"

# %% [markdown]
# ## Here
#
# Synthetic fleets of the hard kind: 250 EVs a feeder, small batteries, a few 50 kW
# stays that force a peak, costs that differ by a factor of ten. Every vehicle can make
# its trips. The first solve of a size compiles; the second finds everything compiled.

# %%
rows = []
for evs in (250, 1000):
    fleet = macjax.synthetic.fleet(evs, kind="hard", seed=0)
    begin = time.perf_counter()
    macjax.solve(fleet, progress=False)
    middle = time.perf_counter()
    solution = macjax.solve(fleet, progress=False)
    rows.append(
        {
            "evs": evs,
            "feeders": len(fleet.feeders),
            "ev_slots": evs * fleet.slots,
            "first_s": middle - begin,
            "warm_s": time.perf_counter() - middle,
            "iterations": solution.iterations,
            "gap": solution.gap,
            "device_mib": solution.settings["device_bytes"] / 2**20,
        }
    )
small = pd.DataFrame(rows).set_index("evs")
small.round({"first_s": 1, "warm_s": 2, "device_mib": 1})

# %% [markdown]
# Where the time goes: `seconds` has the phases of a solve. Compiling is most of a first
# solve of this size; the command `macjax` keeps compiled programs between runs.

# %%
pd.Series(solution.seconds).round(3)

# %% [markdown]
# ## The records
#
# `python bench/scale.py` measures each fleet in a process of its own, from files to the
# certificate. Each record names device, versions and commit; machines differ, so rows
# of different records are not to be compared to the last digit.

# %%
found = []
for path in sorted(results.glob("scale_*.json")):
    record = json.loads(path.read_text("utf-8"))
    for size in record["sizes"]:
        own = size.get("macjax", {})
        if own.get("status") == "solved":
            found.append(
                {
                    "record": path.stem,
                    "device": record["environment"]["device"],
                    "commit": record["environment"]["commit"],
                    "evs": size["evs"],
                    "slots": own["slots"],
                    "first_s": own["first_s"],
                    "warm_s": own["warm_s"],
                    "gap": own["warm"]["gap"],
                    "peak_gib": own["peak_gib"],
                }
            )
records = pd.DataFrame(found)
records.round({"first_s": 1, "warm_s": 2, "peak_gib": 2})

# %%
on_gpu = records[~records["device"].str.contains("cpu")]
if on_gpu.empty:
    print("No record of a GPU yet: all of the above is measured on CPUs.")
on_gpu

# %% [markdown]
# Other solvers on the same fleets: the fastest attempt whose answer the certificate
# accepts at the gap that was asked for.

# %%
peers = []
for path in sorted(results.glob("scale_*.json")):
    for size in json.loads(path.read_text("utf-8"))["sizes"]:
        for peer in size.get("peers", []):
            if peer.get("certified"):
                row = {"record": path.stem, "evs": size["evs"], "solver": peer["peer"]}
                row |= {"seconds": peer["seconds"], "macjax": size["macjax"]["warm_s"]}
                peers.append(row)
pd.DataFrame(peers).round(2)

# %% [markdown]
# ## Growth
#
# Time against vehicles on two logarithmic axes: the slope is the exponent.

# %%
growth = records[records["record"] == "scale_hard_growth"].sort_values("evs")
exponent = np.polyfit(np.log(growth["evs"]), np.log(growth["warm_s"]), 1)[0]
print(
    f"warm seconds grow as EVs^{exponent:.2f} from {growth['evs'].min():,} to "
    f"{growth['evs'].max():,} EVs"
)

# %%
figure, ax = pyplot.subplots(figsize=(6.5, 4), layout="constrained")
ax.loglog(growth["evs"], growth["warm_s"], "o-", c="#0072B2", label="record, 2 cores")
ax.loglog(small.index, small["warm_s"], "s--", c="#D55E00", label="here")
ax.set_xlabel("vehicles")
ax.set_ylabel("seconds of a compiled solve")
ax.legend(frameon=False)
ax.grid(color="0.9")

# %% [markdown]
# ## More vehicles than memory
#
# A fleet that does not fit a device stays in the memory of the host and goes through
# the device in chunks. `device_memory` sets the limit by hand, here far too low on
# purpose.

# %%
in_chunks = macjax.solve(fleet, gap=0.05, device_memory=0.006, progress=False)
print(
    in_chunks.settings["in_chunks"], in_chunks.settings["device_bytes"] / 2**20, "MiB"
)
print(in_chunks.status, in_chunks.objective, in_chunks.lower_bound)
