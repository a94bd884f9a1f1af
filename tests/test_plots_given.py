"""Figures refuse what they cannot draw, before they draw anything."""

import dataclasses
import inspect
import subprocess
import sys

import pytest
from fake_solutions import MAC, UNMANAGED, FakeScenario, FakeSolution
from figure_cases import ax as ax
from matplotlib import pyplot
from matplotlib.figure import Figure

from macjax import MacjaxError, planning, plots
from macjax._errors import SettingsError, SolutionError
from macjax._status import Status

FIGURES = [
    value
    for module in (plots, planning)
    for name, value in vars(module).items()
    if inspect.isfunction(value) and "ax" in inspect.signature(value).parameters
]
SEVERAL = [f for f in FIGURES if "solutions" in inspect.signature(f).parameters]
UNSOLVED = dataclasses.replace(MAC, plan=None, status=Status.infeasible)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("given", [None, 3, "out/mac", FakeScenario(), [MAC, None], []])
def test_what_is_no_solution_is_refused(figure, given):
    before = pyplot.get_fignums()
    with pytest.raises(SettingsError, match="Solution"):
        figure(given)
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("figure", SEVERAL)
def test_a_solution_without_a_schedule_is_named(figure):
    """An upgrade of 0 kW would look like a result."""
    with pytest.raises(SolutionError, match="'mine' has no schedule.*'infeasible'"):
        figure({"today": UNMANAGED, "mine": UNSOLVED})


@pytest.mark.parametrize("figure", [f for f in SEVERAL if f is not plots.upgrades])
def test_solutions_of_two_scenarios_are_refused(figure):
    other = dataclasses.replace(MAC, scenario=FakeScenario(fingerprint="1" * 64))
    with pytest.raises(SettingsError, match="2 different scenarios"):
        figure([UNMANAGED, other])


def test_any_iterable_of_solutions_will_do(ax):
    plots.upgrades((s for s in (UNMANAGED, MAC)), ax)
    assert len(ax.get_legend().get_texts()) == 2


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.feeder_load(MAC, "Z"),
        lambda: plots.load_duration(MAC, "Z"),
        lambda: plots.soc_trace(MAC, ["v1", "v2"]),
        lambda: plots.price_heatmap(MAC, ["Z"]),
        lambda: plots.price_heatmap(MAC, []),
        lambda: plots.worst_feeder(MAC),
        lambda: planning.feeder_map(MAC, -1.0),
        lambda: planning.feeder_map(MAC, "large"),
        lambda: plots.feeder_load(MAC, ax="axes"),
    ],
)
def test_wrong_arguments_are_told_and_leave_no_figure(draw):
    before = pyplot.get_fignums()
    with pytest.raises(MacjaxError):
        draw()
    assert pyplot.get_fignums() == before


def test_one_feeder_of_prices_needs_no_list(ax):
    plots.price_heatmap(MAC, "B", ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["B"]


def test_without_any_capacity_there_is_no_share_of_it(ax):
    class Closed(FakeSolution):
        def loads(self):
            return super().loads().assign(capacity_kw=0.0)

    for feeder in (None, "A"):
        with pytest.raises(SolutionError, match="capacity above 0 kW"):
            plots.load_duration(Closed(), feeder, ax)


def test_save_all_leaves_out_what_cannot_be_drawn(tmp_path):
    names = [path.name for path in plots.save_all([UNMANAGED, UNSOLVED], tmp_path)]
    assert names[:3] == ["feeder_load.png", "load_duration.png", "upgrades.png"]
    failed = dataclasses.replace(UNMANAGED, plan=None, status=Status.infeasible)
    with pytest.raises(SolutionError, match="'unmanaged' is infeasible"):
        plots.save_all(failed, tmp_path)


def test_save_all_names_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="cannot write figures to '.*file'"):
        plots.save_all(MAC, tmp_path / "file")


def test_solutions_of_one_method_look_different(ax):
    """The first has the method's look; others not, whatever is beside them."""
    plots.feeder_load({"a": MAC, "b": MAC, "c": MAC, "d": UNMANAGED}, "A", ax)
    lines = [i for i in ax.get_lines() if i.get_label()[:2] in ("a:", "b:", "c:", "d:")]
    assert len({line.get_color() for line in lines}) == 4
    assert len({str(line._dash_pattern) for line in lines}) == 4
    assert lines[0].get_color() == plots.STYLES["mac"][0]
    other = Figure().add_subplot()
    plots.upgrades([MAC, MAC, MAC], other)
    assert len({patch.get_hatch() for patch in other.patches}) == 3


@pytest.mark.parametrize(
    "figure", [f for f in SEVERAL if f in (plots.upgrades, plots.feeder_load)]
)
def test_a_currency_or_label_is_never_read_as_a_formula(figure, ax):
    scenario = FakeScenario(currency="$\\foo$")
    shown = {"$\\bar$": dataclasses.replace(MAC, scenario=scenario)}
    figure(shown, ax=ax)
    ax.figure.canvas.draw()


def test_the_legend_of_upgrades_hides_no_bar(ax):
    """Bars that do not fall to the right leave room for it."""
    scenario = FakeScenario(feeder_ids=("A",))
    shown = [dataclasses.replace(s, scenario=scenario) for s in (MAC, UNMANAGED)]
    plots.upgrades({f"{k}": shown[1] for k in range(5)}, ax)
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert not any(legend.overlaps(p.get_window_extent()) for p in ax.patches)


def test_a_legend_and_days_fit_the_column_of_a_paper():
    figure = Figure(figsize=(3.4, 3.0), dpi=100)
    ax = figure.add_axes((0.15, 0.5, 0.8, 0.4))
    plots.feeder_load([UNMANAGED, MAC], "A", ax)
    figure.canvas.draw()
    legend = ax.get_legend()
    assert legend._ncols == 1
    assert not legend.get_window_extent().overlaps(ax.xaxis.label.get_window_extent())
    days = [t for t in ax.get_xticklabels() if t.get_text()]
    boxes = [t.get_window_extent() for t in days]
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))


def test_next_to_no_capacity_does_not_flatten_the_others(ax):
    class Tiny(FakeSolution):
        def loads(self):
            frame = super().loads()
            small = frame["feeder_id"] == "A"
            return frame.assign(capacity_kw=frame["capacity_kw"].mask(small, 0.01))

    plots.load_duration(Tiny(), ax=ax)
    assert ax.get_ylim()[1] == 400
    assert any("000 %" in t.get_text() for t in ax.get_legend().get_texts())


def test_kinds_of_place_differ_without_colour():
    from macjax.planning.figures import place_look

    kinds = ("home", "work", "public", "fast")
    assert len({place_look(kind, 0)[1] for kind in kinds}) == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12345.6, "12,346"),
        (573.55, "573.5"),
        (16.0, "16"),
        (1.174, "1.17"),
        (0.004, "0"),
        (-0.001, "0"),
        (-1.5, "-1.5"),
    ],
)
def test_amounts_have_the_digits_that_tell_something(value, shown):
    assert plots.amount(value) == shown


def test_days_of_the_axis_have_the_weekday_and_numbers_have_commas(ax):
    scenario = FakeScenario(slots=96)
    solution = dataclasses.replace(MAC, scenario=scenario)

    class Large(FakeSolution):
        def loads(self):
            kw = ["base_kw", "ev_kw", "capacity_kw", "overload_kw"]
            return solution.loads().assign(**(solution.loads()[kw] * 1e6))

    plots.feeder_load(Large(scenario=scenario), "A", ax)
    ax.figure.canvas.draw()
    days = [t.get_text() for t in ax.get_xticklabels()]
    assert "Sat 07" in days
    powers = [t.get_text() for t in ax.get_yticklabels()]
    assert "100,000,000" in powers and not ax.yaxis.get_offset_text().get_text()


def test_every_figure_names_the_extra_where_matplotlib_is_missing():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "sys.path.insert(0, 'tests')\n"
        "from fake_solutions import MAC\n"
        "from macjax import plots\n"
        "from macjax._errors import MacjaxError\n"
        "for draw in (plots.price_heatmap, plots.upgrades, plots.convergence):\n"
        "    try:\n        draw(MAC)\n"
        "    except MacjaxError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.count("pip install 'macjax[plots]'") == 3, done.stderr


@pytest.mark.parametrize(
    ("value", "down", "up"),
    [
        (153207.6, "153,207", "153,208"),
        (573.6, "573.6", "573.6"),
        (153208.0, "153,208", "153,208"),
        (0.126, "0.12", "0.13"),
        (-1.26, "-1.26", "-1.26"),
        (float("nan"), "nan", "nan"),
    ],
)
def test_ends_of_what_is_proved_are_rounded_outwards(value, down, up):
    assert (plots.amount(value, -1), plots.amount(value, 1)) == (down, up)
