"""A small made-up survey, raw tables as a travel survey has them."""

import numpy as np
import pandas as pd

from macjax.regions.survey import Survey


def make_zones(count: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "zone_id": np.arange(1, count + 1),
            "x_utm10n_m": rng.uniform(550e3, 600e3, count),
            "y_utm10n_m": rng.uniform(4.15e6, 4.20e6, count),
            "lon": rng.uniform(-122.4, -121.9, count),
            "lat": rng.uniform(37.5, 38.0, count),
            "area_km2": rng.uniform(0.2, 200, count),
            "county_id": rng.integers(1, 10, count),
            "TOTHH": rng.integers(100, 3000, count),
            "TOTEMP": rng.integers(100, 5000, count),
            "RESACRE": rng.uniform(20, 400, count),
            "area_type": np.arange(count) % 6,
        }
    )


def make_survey(households: int = 60) -> Survey:
    """Each household: a commuter, and a person who shops; no car, one, or two."""
    rng = np.random.default_rng(1)
    ids = np.arange(1, households + 1)
    homes = pd.DataFrame(
        {
            "household_id": ids,
            "home_zone_id": rng.integers(1, 31, households),
            "income": rng.integers(10, 200, households) * 1000,
            "auto_ownership": rng.integers(0, 3, households),
        }
    )
    people, trips = [], []
    for home in homes.itertuples():
        for number, purpose in enumerate(("work", "shopping")):
            person = 10 * home.household_id + number
            people.append((person, home.household_id, rng.integers(14, 80)))
            away = rng.integers(1, 31)
            mode = rng.choice(["DRIVEALONEFREE", "WALK"], p=[0.9, 0.1])
            leave, back = rng.integers(6, 12), rng.integers(12, 22)
            start = home.home_zone_id if rng.random() < 0.95 else 1
            ends = [
                (purpose, start, away, leave),
                ("Home", away, home.home_zone_id, back),
            ]
            for half, (goal, origin, destination, hour) in enumerate(ends):
                row = (10 * person + half, person, home.household_id, goal)
                trips.append((*row, destination, origin, float(hour), mode))
    columns = ["trip_id", "person_id", "household_id", "purpose", "destination"]
    columns += ["origin", "depart", "trip_mode"]
    return Survey(
        homes,
        pd.DataFrame(people, columns=["person_id", "household_id", "age"]),
        pd.DataFrame(trips, columns=columns).sample(frac=1, random_state=2),
        make_zones(),
    )


def with_stops(survey: Survey) -> Survey:
    """The same, where each third person stops on the way and goes out once more."""
    rng = np.random.default_rng(3)
    rows = []
    for person, chain in survey.trips.groupby("person_id"):
        there, back = chain.sort_values("depart").to_dict("records")
        if person % 3:
            rows += [there, back]
            continue
        stop, out = int(rng.integers(1, 31)), int(rng.integers(1, 31))
        home = back["destination"]
        plan = (
            (there["purpose"], there["origin"], there["destination"], there["depart"]),
            ("escort", there["destination"], stop, back["depart"]),
            ("Home", stop, home, back["depart"]),
            ("social", home, out, back["depart"] + 1),
            ("Home", out, home, back["depart"] + 1),
        )
        for number, (purpose, origin, destination, depart) in enumerate(plan):
            rows.append(
                there
                | {
                    "trip_id": 100 * person + number,
                    "purpose": purpose,
                    "origin": origin,
                    "destination": destination,
                    "depart": depart,
                }
            )
    return survey._replace(trips=pd.DataFrame(rows))


def write_survey(survey: Survey, folder) -> str:
    """The tables as the CSV files that a raw folder has; returns the folder."""
    folder.mkdir(exist_ok=True)
    for name, table in survey._asdict().items():
        table.to_csv(folder / f"mtc_bayarea_{name}.csv", index=False)
    return str(folder)
