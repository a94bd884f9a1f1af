"""Results: the solution's frames, its files, and solutions side by side."""

from macjax.results.comparison import compare as compare
from macjax.results.files import check_output as check_output
from macjax.results.parts import Part as Part
from macjax.results.solution import Solution as Solution
