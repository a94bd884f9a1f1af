"""Studies: one question asked of many scenarios.

    macjax.sweep(
        "configs/napa_county.toml",
        over={"adoption": [0.1, 0.3], "work_share": [0.2, 0.6], "cost": [1, 2]},
        out="out/sweep",
    )

What can be varied: of the configuration of a region every key, such as `adoption`,
`sample`, `seed`, `days` (or `horizon`), `slot_minutes` and `chargers.work_share`, which
its last word stands for; of the builder `synthetic` its arguments; and of these and of
any scenario the factors `charger_power`, `battery`, `reserve` and `cost` of `factors`.

Cases that differ only in factors share one scenario, and a solve starts from the
solution of its neighbour where both have the same stays. Results depend on that, and on
the number of workers, by no more than the gap.

A case that cannot be served has a row with its status and its error like all others:
smaller chargers or batteries may leave vehicles that cannot make their trips, which
`on_infeasible="drop"` or `"relax"` admits; so has a case that fails in any other way.
Wrong settings end the sweep.

With `out` every result is written as soon as it is there, and the same call goes on
where the last one ended: finished results are read, damaged ones and those that lacked
memory are run again. Ctrl-C ends with the frame so far. `read_tables` joins the tables
of all cases. `bootstrap` asks how far a sample's answer is from that of all vehicles.

`study` asks everything of one scenario: all methods, what they need and avoid, who
gives the flexibility, as tables, figures and a report. `on_service_transformers` puts
a region's cars behind service transformers.
"""

from macjax.studies.bootstrap import bootstrap as bootstrap
from macjax.studies.bootstrap import sampling_bias as sampling_bias
from macjax.studies.frame import read_tables as read_tables
from macjax.studies.planner import StudyResult as StudyResult
from macjax.studies.planner import study as study
from macjax.studies.planner import study_tables as study_tables
from macjax.studies.service import (
    cars_at_home_per_household as cars_at_home_per_household,
)
from macjax.studies.service import (
    on_service_transformers as on_service_transformers,
)
from macjax.studies.sweep import sweep as sweep
