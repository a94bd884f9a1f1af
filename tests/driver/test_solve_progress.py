"""What a run tells while it goes on, and how long each phase took."""

import math

import macjax

KEYS = {
    "iteration", "phase", "seconds", "objective", "lower_bound", "gap", "seconds_left",
}  # fmt: skip
PHASES = {"read", "pack", "solve", "certify", "compile", "total"}


def test_a_callable_gets_a_dict_at_each_look(hard_street):
    """Iterations and seconds rise, the best objective falls, the bound rises."""
    records = []
    solution = macjax.solve(hard_street, gap=1e-5, progress=records.append)
    assert len(records) >= 4 and all(set(r) == KEYS for r in records)
    assert records[0]["iteration"] == 0 and records[0]["phase"] == "start"
    assert {r["phase"] for r in records} == {"start", "admm", "newton"}
    assert records[-1]["iteration"] == solution.iterations
    rising = ("iteration", "seconds", "lower_bound")
    for name, sign in [(n, 1) for n in rising] + [("objective", -1), ("gap", -1)]:
        values = [sign * r[name] for r in records]
        assert values == sorted(values), name
    assert all(r["seconds_left"] >= 0 for r in records)
    assert math.isfinite(records[-1]["seconds_left"])
    assert records[-1]["gap"] <= 1e-5


def test_time_left_is_at_most_the_time_limit(hard_street):
    """A limit is an upper bound on what is left, even before the gap falls."""
    records = []
    macjax.solve(hard_street, time_limit=50, progress=records.append)
    assert all(0 <= r["seconds_left"] <= 50 for r in records)


def test_history_has_a_row_for_each_look(solved):
    """The frame that the figures are drawn from."""
    history = solved.history
    assert history["iteration"].is_monotonic_increasing
    assert history["best_bound"].is_monotonic_increasing
    assert history["best_objective"].is_monotonic_decreasing
    assert history["iteration"].iloc[-1] == solved.iterations
    assert (history["objective"] >= history["best_objective"]).all()
    assert (history["lower_bound"] <= history["best_bound"]).all()
    assert (history["seconds"] <= solved.seconds["total"]).all()


def test_true_prints_to_stderr(hard_street, capsys):
    """A header, lines of numbers, and the certified end; nothing on stdout."""
    solution = macjax.solve(hard_street, progress=True)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].split()[:2] == ["iteration", "objective"]
    assert len(lines) >= 3 and lines[1].split()[0] == "0"
    assert lines[-1].startswith("solved: objective")
    assert f"{solution.objective:.8g}" in lines[-1]
    assert f"{solution.gap:.1e}" in lines[-1]


def test_false_and_none_print_nothing(hard_street, capsys):
    """None prints on terminals only, and this is none."""
    macjax.solve(hard_street, progress=False)
    macjax.solve(hard_street, progress=None)
    assert capsys.readouterr() == ("", "")


def test_seconds_by_phase(solved):
    """The phases are parts of the whole; what compiles is taken from the iteration."""
    seconds = solved.seconds
    assert set(seconds) == PHASES
    assert all(value >= 0 for value in seconds.values())
    parts = sum(seconds[name] for name in ("read", "pack", "solve", "certify"))
    assert parts <= seconds["total"] <= parts + seconds["compile"] + 0.5
    assert seconds["compile"] <= seconds["total"]
