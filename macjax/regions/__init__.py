"""Scenarios of regions built from raw public tables.

`bay_area` turns a travel-survey sample of the San Francisco Bay Area into the tables
of a scenario; `survey`, `week`, `cars` and `feeders` are its steps.
"""
