"""Every public name has a docstring, units where they apply, and an example that runs.

Examples are the programs of README.md, of docs/ and of the notebooks, which the tests
run (`test_readme.py`, `test_docs.py`, `test_notebooks.py`).
"""

import ast
import builtins
import inspect
import re

import pytest
from doc_pages import COMPLETE, DOCS, NOTEBOOKS, PAGES, blocks, load

import macjax
from macjax import config
from macjax.results import comparison, schema
from macjax.scenario.schema import TABLES

if not COMPLETE:
    pytest.skip("not the whole repository", allow_module_level=True)

public = load("public_names")
pages = load("reference_pages")
NAMES = [name for name in public.public_names() if not name.name.startswith("__")]
CALLABLE = [name for name in NAMES if name.kind != "value"]

# Words that say that a number has no unit, or which it has.
UNIT = re.compile(
    r"\[[^\]]*\]|in \(0, 1\]|\b(numbers?|how many|share|shares|factor|seeds?|index|"
    r"count|ratio|relative|rank|most|least|length|positions?|rows?|GiB|seconds|minutes|"
    r"hours|day|phases|iterations|rounds|over apparent power|1 is|per unit)\b",
    re.IGNORECASE,
)
SUFFIX = re.compile(
    r"(_kwh|_kw|_mw|_mvar|_km|_hours|_minutes|_seconds|_percent|_pu|_h|_kwh_per_km|"
    r"_cost|_per_kw|_s)$|^(kw|kwh|kv|km_per_unit)$"
)
NUMERIC = re.compile(r"\b(int|float)\b|^-?\d")


def documented(name) -> list[tuple[str, object]]:
    """A name, and its methods if it is a class, with what they are called."""
    found = [(name.path, name.value)]
    if name.kind == "class":
        methods = public.public_methods(name.value)
        found += [(f"{name.path}.{m}", value) for m, value in methods.items()]
    return found


def entries(value) -> dict[str, str]:
    """What a docstring says of each argument, field or property."""
    found, names = {}, []
    for line in (inspect.getdoc(value) or "").splitlines():
        match = re.match(r" {4}((?:\*{0,2}\w+)(?:, \w+)*)(?: \([^)]*\))?: (.*)", line)
        if match:
            names = match[1].replace("*", "").split(", ")
            found |= dict.fromkeys(names, match[2])
        elif names and line.startswith("        "):
            found |= {n: f"{found[n]} {line.strip()}" for n in names}
        elif line.strip():
            names = []
    return found


def without_docstring(name) -> list[str]:
    return [
        path
        for path, value in documented(name)
        if not (inspect.getdoc(pages.function_of(value)) or "").strip()
    ]


def without_words(name) -> list[str]:
    """Parameters of the name and its methods of which no docstring says anything."""
    missing = []
    for path, value in documented(name):
        for parameter in parameters(value):
            if parameter not in words_of(name, value):
                missing.append(f"{path}({parameter})")
    return missing


def parameters(value) -> dict[str, str]:
    """Names of parameters and their text."""
    if pages.is_attribute(value) or not callable(pages.function_of(value)):
        return {}
    if inspect.isclass(value) and issubclass(value, pages.NOT_CALLED):
        return {}
    function = value if inspect.isclass(value) else pages.function_of(value)
    texts, _ = pages.parameters_of(function)
    texts = [text for text in texts if text not in ("*", "self", "cls")]
    return {re.match(r"\**(\w+)", text)[1]: text for text in texts}


def words_of(name, value) -> dict[str, str]:
    """Entries of a docstring; where it refers to another one ("as in `f`"), of that."""
    text = inspect.getdoc(pages.function_of(value)) or ""
    found = dict(entries(pages.function_of(value)))
    if inspect.isclass(value) and (own := value.__init__.__doc__):
        found |= entries(value.__init__) if "Arguments:" in own else {}
    for base in name.value.__mro__ if name.kind == "class" else ():
        # What a method of the class that it comes from says.
        if not inspect.isclass(value) and (
            there := base.__dict__.get(method_of(value))
        ):
            found = entries(pages.function_of(there)) | found
    for other in re.findall(r"(?:as|See) (?:in |given to )?`([\w.]+)`", text):
        for place in (name.value, inspect.getmodule(name.value), macjax):
            if (there := getattr(place, other.split(".")[-1], None)) is not None:
                found = entries(there) | found
    for parameter, said in found.items():  # "of `discrete_upgrades`"
        if match := re.match(r"(?:of|as in|see) `([\w.]+)`", said):
            module = inspect.getmodule(pages.function_of(value))
            places = (module, *public.public_modules().values())
            for place in places:
                there = getattr(place, match[1].split(".")[-1], None)
                if there is not None and parameter in entries(there):
                    found[parameter] = entries(there)[parameter]
    # What takes one or two things may say it in its first lines, without a list.
    given = parameters(value)
    if "Arguments:" not in text and len(given) <= 2:
        for parameter in given:
            if parameter not in found and re.search(rf"\b{parameter}\b", text):
                found[parameter] = text
    return found


def returned(function) -> object:
    """The annotation of what a property gives."""
    return getattr(function, "__annotations__", {}).get("return", "")


def method_of(value) -> str:
    """The name of a method or function."""
    return getattr(pages.function_of(value), "__name__", "")


def without_unit(name) -> list[str]:
    """Numeric parameters, fields and properties whose words name no unit, no count."""
    missing = []
    for path, value in documented(name):
        function = pages.function_of(value)
        if pages.is_attribute(value) and NUMERIC.search(str(returned(function))):
            said = f"{method_of(value).replace('_', ' ')}: {inspect.getdoc(function)}"
            if not SUFFIX.search(method_of(value)) and not UNIT.search(said):
                missing.append(f"{path}: {said!r}")
        words = words_of(name, value)
        for parameter, text in parameters(value).items():
            _, _, annotation = text.partition(":")
            default = text.rpartition("=")[2].strip() if "=" in text else ""
            is_number = NUMERIC.search(annotation.partition("=")[0]) or re.match(
                r"-?\d", default
            )
            said = f"{parameter.replace('_', ' ')}: {words.get(parameter, '')}"
            if is_number and not SUFFIX.search(parameter) and not UNIT.search(said):
                missing.append(f"{path}({parameter}): {said!r}")
    return missing


@pytest.mark.parametrize("name", CALLABLE, ids=lambda name: name.path)
def test_it_is_documented(name):
    assert not without_docstring(name)
    assert not without_words(name)


@pytest.mark.parametrize("name", CALLABLE, ids=lambda name: name.path)
def test_errors_that_it_names_are_public(name):
    """What a docstring says is raised can be caught by that name."""
    known = {other.name for other in NAMES} | set(dir(builtins))
    for path, value in documented(name):
        text = inspect.getdoc(pages.function_of(value)) or ""
        named = set(re.findall(r"\b[A-Z][a-zA-Z]+(?:Error|Warning|Vehicles)\b", text))
        assert named <= known, path


def test_docstrings_refer_to_what_is_public():
    """`see f`, `as in f`: f is a name, a method or an argument that users can find."""
    known = {other.name for other in NAMES} | public.public_modules().keys()
    known |= {
        word for name in NAMES for _, v in documented(name) for word in entries(v)
    }
    for name in CALLABLE:
        if name.kind == "class":
            known |= public.public_methods(name.value).keys()
    lost = []
    for name in CALLABLE:
        for path, value in documented(name):
            text = inspect.getdoc(pages.function_of(value)) or ""
            for word in re.findall(r"(?:[Ss]ee|as in|columns of)\s+`([\w.]+)`", text):
                last = word.rpartition(".")[2]
                if word not in known and last not in known:
                    lost.append(f"{path}: {word}")
    assert not lost


def test_rows_of_summaries_are_explained():
    # As large as a fleet of test_exchange.py, whose programs then serve.
    fleet = macjax.synthetic.fleet(60, slots=48, kind="hard", seed=2)
    solution = macjax.solve(fleet, progress=False)
    exchange = macjax.exchange(fleet, protocol="price_ascent", rounds=2, progress=False)
    takers = macjax.PriceTakers([10.0], 0.03, quadratic=0.003, linear=0.11)
    cost = macjax.GenerationCost.polynomial([0.0, 0.06, 2.9e-4])
    run = macjax.coordinate(
        macjax.PriceProblem(takers, base_demand_kw=[60.0], cost=cost)
    )
    for found in (solution, macjax.equilibrium(fleet, solution), exchange, run):
        text = inspect.getdoc(found.summary) or ""
        rows = set(found.summary().index) - set(getattr(found, "messages", {}) or {})
        assert not [row for row in rows if not re.search(rf"\b{row}\b", text)]


def test_columns_of_sweeps_are_explained():
    from macjax.studies.frame import MORE

    text = (DOCS / "sweeps.md").read_text("utf-8")
    assert not [column for column in MORE if f"`{column}`" not in text]


@pytest.mark.parametrize("name", CALLABLE, ids=lambda name: name.path)
def test_its_numbers_have_units(name):
    assert not without_unit(name)


def test_what_is_missing_is_found():
    def undocumented(power: float = 1.0):
        pass

    def half(power: float, share: float, seconds):
        """One line.

        Arguments:
            power: how strong.
            share: of the rating.
        """

    first = public.Public("macjax", "undocumented", undocumented)
    assert without_docstring(first) and without_words(first) and without_unit(first)
    second = public.Public("macjax", "half", half)
    assert without_words(second) == ["macjax.half(seconds)"]
    assert without_unit(second) == ["macjax.half(power): 'power: how strong.'"]

    def named_elsewhere(power_kw: float, share: float):
        """One line.

        Arguments:
            power_kw: as large as share allows.
        """

    third = public.Public("macjax", "named_elsewhere", named_elsewhere)
    assert without_words(third) == ["macjax.named_elsewhere(share)"]

    class Fields:
        """One line."""

        @property
        def strength(self) -> float:
            """How strong it is."""
            return 1.0

        @property
        def power(self) -> float:
            """How strong it is [kW]."""
            return 1.0

    Fields.__module__ = "macjax.here"  # public_methods takes those of macjax alone
    fourth = public.Public("macjax", "Fields", Fields)
    assert without_unit(fourth) == [
        "macjax.Fields.strength: 'strength: How strong it is.'"
    ]


def used_names() -> set[str]:
    """Whole names that the programs of README, docs and notebooks use."""
    programs = []
    for page in PAGES:  # the blocks of a page are one program
        programs.append("\n".join(block.code for block in blocks(page)))
    programs += [path.read_text("utf-8") for path in NOTEBOOKS]
    return {name for program in programs for name in names_in(program)}


def names_in(program: str) -> set[str]:
    """`macjax.a.b` for each use of it in a program, whatever it was imported as."""
    tree = ast.parse(program)
    local = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name if alias.asname else alias.name.split(".")[0]
                local[alias.asname or first] = first
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                local[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    found = set(local.values())
    for node in ast.walk(tree):
        words = []
        while isinstance(node, ast.Attribute):
            words.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in local:
            parts = [local[node.id], *reversed(words)]
            found |= {".".join(parts[: k + 1]) for k in range(len(parts))}
    return {name for name in found if name.split(".")[0] == "macjax"}


USED = used_names()


def test_use_is_found_through_any_import():
    program = (
        "import macjax as m\nfrom macjax import regions\n"
        "from macjax.studies import bootstrap as b\nm.solve(1).write('x')\n"
        "regions.build({})\nb()\nother.solve_me()\n"
    )
    found = names_in(program)
    assert {"macjax.solve", "macjax.regions.build", "macjax.studies.bootstrap"} <= found
    assert not any("solve_me" in name or "write" in name for name in found)


def test_examples_use_what_is_public():
    """What README, docs and notebooks take from a module of macjax, it offers."""
    modules = public.public_modules()
    offered = {name.path for name in NAMES} | modules.keys()
    for used in USED - offered:
        module, _, _ = used.rpartition(".")
        assert module not in modules, f"{used} is not public"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.path)
def test_it_has_an_example(name):
    same = {other.path for other in NAMES if other.value is name.value}
    assert same & USED, f"show {name.path} in README.md, docs/ or a notebook"


COMMANDS = load("commands_page")


@pytest.mark.parametrize("command", COMMANDS.commands())
def test_options_of_commands_are_explained(command):
    parser = COMMANDS.commands()[command]
    assert parser.description
    options = COMMANDS.options(parser)
    assert not [COMMANDS.shown(o) for o in options if not COMMANDS.meaning(o)]
    for option in options:
        if option.type in (int, float):
            said = f"{option.dest.replace('_', ' ')}: {COMMANDS.shown(option)} "
            assert UNIT.search(said + COMMANDS.meaning(option)), said


def test_names_are_the_same_in_configurations_programs_and_commands():
    keys = {"solve": config.SOLVE_KEYS, "sweep": config.SWEEP_KEYS}
    keys["study"] = config.STUDY_KEYS
    text = (DOCS / "configuration.md").read_text("utf-8")
    for name, known in keys.items():
        assert set(known) <= set(parameters(getattr(macjax, name))), name
        assert all(f"| `{key}` |" in text for key in known), name
    own = {action.dest for action in COMMANDS.options(COMMANDS.commands()["solve"])}
    assert own - {"input", "out"} <= set(parameters(macjax.solve))
    assert own >= config.SOLVE_KEYS.keys()
    known = inspect.signature(macjax.baselines.time_of_use).parameters
    tariff = {a.dest: a for a in COMMANDS.options(COMMANDS.commands()["baseline"])}
    said = COMMANDS.meaning(tariff["tariff"])
    assert f"default {known['tariff'].default}" in said


def test_flags_are_spelt_like_their_arguments():
    """`--max-iterations` is max_iterations; --no-... switches something off."""
    for parser in COMMANDS.commands().values():
        for action in COMMANDS.options(parser):
            flags = [f for f in action.option_strings if f.startswith("--")]
            plain = [f.removeprefix("--").removeprefix("no-") for f in flags]
            assert all(flag.replace("-", "_") == action.dest for flag in plain)
            if action.dest == "out":  # -o file, -o folder: with every command
                assert action.option_strings == ["-o", "--out"]


def test_columns_of_the_scenario_have_units():
    """In the name, or in the meaning where they have one."""
    plain = {"charge_efficiency", "discharge_efficiency", "weight"}
    for table in TABLES.values():
        for column in table.columns:
            if column.kind == "number" and column.name not in plain:
                assert SUFFIX.search(column.name) or "degrees" in column.meaning


# Instants, numbers of rows, and a weight, which have no unit.
PLAIN = {"time", "departure", "peak_time", "stay", "trip", "ray"}


def test_columns_of_solutions_have_units():
    scenario = macjax.synthetic.fleet(20, slots=12)
    solution = macjax.baselines.unmanaged(scenario)
    frames = {"schedule": solution.schedule(), "loads": solution.loads()}
    frames |= {"upgrades": solution.upgrades(), "infeasible": solution.infeasible}
    frames |= {"stranded": solution.stranded}
    for name, frame in frames.items():
        assert set(frame.columns) == set(schema.TABLES[name][1]), name
    for name, (_, columns) in schema.TABLES.items():
        for column, said in columns.items():
            if column in PLAIN or column.endswith("_id"):
                continue
            assert re.search(r"\[[^\]]+\]", said), f"{name}.{column}: {said}"


def test_columns_of_comparisons_are_explained():
    """In docs/planners.md, each with its unit."""
    text = (DOCS / "planners.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    assert set(comparison.COLUMNS) == set(rows)
    for column, said in rows.items():
        wants = column.endswith(("_kw", "_cost", "_kwh", "_percent"))
        wants |= column in ("objective", "lower_bound", "seconds")
        assert not wants or re.search(r"\[[^\]]+\]", said), column
