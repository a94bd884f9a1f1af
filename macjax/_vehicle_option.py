"""The option that names vehicles, as `macjax report` and `macjax export` take it."""

from macjax._errors import FIRST_IDS, SettingsError


def add_vehicle(command, meaning: str) -> None:
    """--vehicle, once for each: ids may hold any character.

    Arguments:
        command: the parser of the command.
        meaning: what becomes of the vehicles.
    """
    command.add_argument(
        "--vehicle",
        action="append",
        metavar="ID",
        help=f"{meaning}; may be repeated",
    )


def named_vehicles(given: list[str] | None, scenario) -> list | None:
    """The ids that read as these texts; ids may be whole numbers. None for none given.

    Arguments:
        given: what stands behind each --vehicle.
        scenario: a `Scenario`.
    """
    if given is None:
        return None
    ids = scenario.vehicles["vehicle_id"]
    rows = ids[ids.astype(str).isin(given)]
    by_text = dict(zip(rows.astype(str), rows.tolist(), strict=True))
    if unknown := [text for text in given if text not in by_text]:
        shown = ", ".join(f"'{text}'" for text in unknown[:FIRST_IDS])
        raise SettingsError(f"--vehicle: no vehicle {shown} in the scenario")
    return [by_text[text] for text in dict.fromkeys(given)]
