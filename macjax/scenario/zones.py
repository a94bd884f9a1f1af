"""Time zones by their IANA names."""

import zoneinfo


def find_zone(name) -> zoneinfo.ZoneInfo | None:
    """The zone of a name such as Europe/Berlin; None where there is none.

    Arguments:
        name: what stands in a file or was given; of any type.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    # ValueError: a path that leads out; OSError: a folder; TypeError: no text.
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        return None
