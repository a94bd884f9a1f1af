"""The parts of `bench/scale.py` and `bench/suite.py`, one idea a module."""
