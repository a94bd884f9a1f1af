"""A solution whose frames are made once, since many figures and tables read them."""

from typing import Any

import pandas as pd


class Seen:
    """Stands for a solution; what is not a frame below is the solution's own.

    Arguments:
        solution: a `Solution`.
    """

    def __init__(self, solution):
        self._solution = solution
        self._made: dict[str, pd.DataFrame | pd.Series] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solution, name)

    def _once(self, name: str):
        if name not in self._made:
            self._made[name] = getattr(self._solution, name)()
        return self._made[name]

    def loads(self) -> pd.DataFrame:
        """As `Solution.loads`."""
        return self._once("loads")

    def upgrades(self) -> pd.DataFrame:
        """As `Solution.upgrades`."""
        return self._once("upgrades")

    def prices(self) -> pd.DataFrame:
        """As `Solution.prices`."""
        return self._once("prices")

    def summary(self) -> pd.Series:
        """As `Solution.summary`."""
        return self._once("summary")
