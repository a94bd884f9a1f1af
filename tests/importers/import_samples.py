"""Small files in other formats, made by hand, and slow readers to compare with."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parent / "data"

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
DOCTYPE = (
    '<!DOCTYPE population SYSTEM "http://www.matsim.org/files/dtd/population_v6.dtd">\n'
)


def write(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def clock(seconds) -> str:
    seconds = int(seconds)
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def population(*persons: str, doctype: str = DOCTYPE) -> str:
    return HEAD + doctype + "<population>\n" + "\n".join(persons) + "\n</population>\n"


def person(name: str, *plans: str) -> str:
    return f'<person id="{name}">\n' + "\n".join(plans) + "\n</person>"


def plan(*elements: str, selected: str = "yes") -> str:
    return f'<plan selected="{selected}">\n' + "\n".join(elements) + "\n</plan>"


def activity(kind: str, x=0.0, y=0.0, **times) -> str:
    words = " ".join(f'{k}="{v}"' for k, v in times.items())
    return f'<activity type="{kind}" link="1" x="{x}" y="{y}" {words}/>'


def leg(mode: str = "car", metres=None, **times) -> str:
    words = " ".join(f'{k}="{v}"' for k, v in times.items())
    route = "" if metres is None else f'<route type="links" distance="{metres}"/>'
    return f'<leg mode="{mode}" {words}>{route}</leg>'


def commuter(name: str = "anna") -> str:
    """Home 7:00 - work (20 km, 30 min), 16:00 - home, the last activity open."""
    return person(
        name,
        plan(
            activity("home", end_time="07:00:00"),
            leg(metres=20_000, trav_time="00:30:00"),
            activity("work", 15_000, 0, end_time="16:00:00"),
            leg(metres=20_000, trav_time="00:40:00"),
            activity("home"),
        ),
    )


EVENTS = """\
timestamp,event_start,event_time,location,use_case,soc_start,soc_end,energy,\
station_charging_capacity,average_charging_power
2021-09-17 00:00:00,0,32,home,home,0.8,1.0,10.0,11.0,1.25
2021-09-17 08:00:00,32,2,driving,,1.0,0.9,-5.0,0.0,0.0
2021-09-17 08:30:00,34,36,work,work,0.9,0.9,0.0,0.0,0.0
2021-09-17 17:30:00,70,2,driving,,0.9,0.8,-5.0,0.0,0.0
2021-09-17 18:00:00,72,24,home,home,0.8,0.8,0.0,0.0,0.0
"""

STANDING = """\
,car_type,bat_cap,location,netto_charging_capacity,SoC_start,SoC_end,chargingdemand,\
charge_time,park_start,park_end,drive_start,drive_end,consumption
0,BEV_mini,40,6_home,9.0,0.5,0.725,9.0,32,1,32,0,0,0
1,BEV_mini,40,driving,0,0.725,0.6,0,0,0,0,33,34,5.0
2,BEV_mini,40,0_work,3.6,0.6,0.65,2.0,40,35,74,0,0,0
3,BEV_mini,40,driving,0,0.65,0.525,0,0,0,0,75,76,5.0
4,BEV_mini,40,6_home,9.0,0.525,0.525,0,0,77,96,0,0,0
"""


def ica(feeder_sections=(100, 300, 500), scenarios=(10, 90), hours=range(24)):
    """PG&E's layout: thermal limit = section + month + hour, 50 more on light days."""
    rows = [
        (f"s{base}", kind, month, hour, load, base + month + hour + 50 * (load == 10))
        for base in feeder_sections
        for kind in "LG"
        for month in range(1, 13)
        for hour in hours
        for load in scenarios
    ]
    names = ["LineSectionID", "LoadOrGen", "Month", "Hour", "Loading_Scenario"]
    frame = pd.DataFrame(rows, columns=[*names, "IC_Thermal_kW"])
    frame["IC_Voltage_kW"] = 200
    return frame


def net_tables() -> dict[str, pd.DataFrame]:
    """A 20 kV net by tables: two transformers in parallel, two lines that leave the
    busbar, one of them with a low-voltage transformer behind it, an open line between.

        grid 0 == T0, T1 == 1 (busbar) -- line 0 -- 2 -- line 1 -- 3
                                       -- line 2 -- 4 == T2 == 5
                                  3 -- line 3 (open) -- 4
    """
    return {
        "bus": pd.DataFrame(
            {"vn_kv": [110, 20, 20, 20, 20, 0.4]}, index=[10, 11, 12, 13, 14, 15]
        ).assign(
            geo=[
                f'{{"type":"Point", "coordinates":[{8 + k / 10}, 50]}}'
                for k in range(6)
            ]
        ),
        "trafo": pd.DataFrame(
            {
                "name": ["big 1", "big 2", "village"],
                "hv_bus": [10, 10, 14],
                "lv_bus": [11, 11, 15],
                "sn_mva": [25.0, 25.0, 0.4],
                "parallel": [1, 1, 1],
                "in_service": True,
            }
        ),
        "line": pd.DataFrame(
            {
                "name": ["north", "north end", "south", "ring"],
                "from_bus": [11, 12, 11, 13],
                "to_bus": [12, 13, 14, 14],
                "max_i_ka": [0.2, 0.2, 0.3, 0.2],
                "in_service": True,
            }
        ),
        "load": pd.DataFrame(
            {
                "bus": [12, 13, 15, 15],
                "p_mw": [1.0, 2.0, 0.1, 0.2],
                "scaling": [1.0, 0.5, 1.0, 1.0],
                "in_service": [True, True, True, False],
                "profile": ["A", "B", "A", "B"],
            }
        ),
        "switch": pd.DataFrame(
            {"bus": [13], "element": [3], "et": ["l"], "closed": [False]}
        ),
        "ext_grid": pd.DataFrame({"bus": [10]}),
    }


def net_profiles(days: int = 2) -> dict[str, pd.DataFrame]:
    """Quarter hours of `days` days from 2016-01-01; the last one has the most load."""
    steps = 96 * days
    time = pd.date_range("2016-01-01", periods=steps, freq="15min")
    day = np.arange(steps) // 96 + 1
    hour = np.arange(steps) % 96 // 4
    frame = pd.DataFrame({"time": time.strftime("%d.%m.%Y %H:%M")})
    frame["A_pload"], frame["A_qload"] = 0.1 * day, 0.0
    frame["B_pload"] = 0.01 * hour * day
    return {"load": frame}


DSS = {
    "Master.dss": """\
Clear
New Circuit.test bus1=sub pu=1.03 basekV=12.47   ! the source
Redirect Lines.dss
Redirect Transformers.dss
Redirect LoadShapes.dss
Redirect Loads.dss
Buscoords coords.csv
Solve
""",
    "Lines.dss": """\
// two lines, and one that is off
New Line.l1 bus1=sub.1.2.3 bus2=a.1.2.3 length=1 units=km
New Line.l2 bus1=a.1 bus2=b.1
New Line.off bus1=b bus2=c enabled=no
New Line.lv1 bus1=A-LV.1.2 bus2=house1.1.2
/* New Line.never bus1=a bus2=a-lv
*/
""",
    "Transformers.dss": """\
New Transformer.T1 phases=1 windings=3 normhkva=27.5 wdg=1 conn=wye bus=a.1 kV=7.2
~ kva=25.0 EmergHKVA=37.5 wdg=2 bus=a-lv.1.0 kv=0.12 kva=25
More wdg=3 bus=a-lv.0.2 kv=0.12 kva=25 XHL=2.4
New "Transformer.T2" windings=2 buses=[b.1 b-lv.1] kvs=(7.2 0.24) kVAs="50 50"
New Transformer.T3 like=T2 buses=(b.2, b-lv.2)
Edit Transformer.T3 kvas=[75, 75]
New transformer.reg1 buses=(sub subr) kvs=(12.47 12.47) kvas=(5000 5000)
""",
    "LoadShapes.dss": """\
New Loadshape.flat npts=24 interval=1 mult=(file=flat.csv)
New Loadshape.evening npts=4 minterval=360 mult=[0.5 0.5, 0.5 1]
""",
    "Loads.dss": """\
New Load.h1 bus1=house1.1.2 kV=0.208 kW=10 kvar=1 yearly=flat
New Load.h2 bus1=b-lv.1 kva=20 pf=0.9 daily=EVENING
New Load.h3 bus1=b-lv.1 kw=(2) model=1
New Load.far bus1=b.1 kW=100
""",
    "flat.csv": "\n".join(["0.5"] * 24) + "\n",
    "coords.csv": "a-lv, 100.0, 200.0\nB-LV 300 400\n",
}


def write_dss(folder: Path, **changes: str) -> Path:
    """The circuit in a folder; changes replace files, `_` in names stands for a dot."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        DSS | {k.replace("_", "."): v for k, v in changes.items()}
    ).items():
        (folder / name).write_text(text)
    return folder / "Master.dss"
