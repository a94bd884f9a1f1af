"""Imports run one way only, and modules stay small enough to read.

The table gives each top-level part of the package its level; an import may go to the
same or to a lower level. Imports are read from the source, also those inside
functions, so nothing has to be imported to be checked.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "macjax"
LEVELS = {
    "_compile": 0,
    "_errors": 0,
    "_numerics": 0,
    "_processes": 0,
    "_sections": 0,
    "_status": 0,
    "_version": 0,
    "objectives": 1,
    "scenario": 1,
    "sets": 1,
    "certificate": 2,
    "fleet": 2,
    "responses": 2,
    "solvers": 3,
    "results": 4,
    "baselines": 5,
    "driver": 5,
    "data": 6,
    "regions": 6,
    "synthetic": 6,
    "coordination": 6,
    "examples": 6,
    "importers": 6,
    "interchange": 6,
    "market": 6,
    "planning": 6,
    "plots": 6,
    "powerflow": 6,
    "tariffs": 6,
    "": 7,  # macjax/__init__.py, which only re-exports
    "__main__": 7,
    "_commands": 7,
    "_export_command": 7,
    "_import_command": 7,
    "_market_commands": 7,
    "_methods": 7,
    "_output": 7,
    "_parser": 7,
    "_program": 7,
    "_report_command": 7,
    "_study_commands": 7,
    "_vehicle_option": 7,
    "cli": 7,
    "config": 7,
    "reports": 7,
    "studies": 7,
}
NETS = ("powerflow", "interchange")
LONGEST_MODULE = 500
LONGEST_FUNCTION = 60


def module_name(path: Path) -> str:
    parts = ("macjax", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for p in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def absolute(node: ast.ImportFrom, name: str) -> str:
    """The module that a `from` statement names, relative dots resolved."""
    if not node.level:
        return node.module or ""
    is_package = MODULES[name].name == "__init__.py"
    parts = name.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def imported(name: str) -> set[str]:
    """All modules, of any package, that the module `name` imports."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, name)
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            found |= submodules & MODULES.keys()
            if not submodules <= MODULES.keys():
                found.add(base)
    return found


IMPORTS = {name: imported(name) for name in MODULES}
INTERNAL = {name: found & MODULES.keys() for name, found in IMPORTS.items()}


def part(name: str) -> str:
    return (name.split(".") + [""])[1]


def level(name: str) -> int:
    return LEVELS[part(name)]


def within(name: str, *parts: str) -> bool:
    return part(name) in parts


def imports_package(name: str, package: str) -> bool:
    return any(found.split(".")[0] == package for found in IMPORTS[name])


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Names along one cycle of the graph, or nothing."""
    state: dict[str, str] = {}

    def visit(node: str, path: list[str]) -> list[str]:
        if state.get(node) == "done":
            return []
        if state.get(node) == "open":
            return path[path.index(node) :] + [node]
        state[node] = "open"
        for after in sorted(graph[node]):
            if cycle := visit(after, [*path, node]):
                return cycle
        state[node] = "done"
        return []

    for node in sorted(graph):
        if cycle := visit(node, []):
            return cycle
    return []


def test_every_module_has_a_level():
    missing = sorted(name for name in MODULES if part(name) not in LEVELS)
    assert not missing, f"give these a level in LEVELS: {missing}"


def test_every_internal_import_exists():
    unknown = {
        (name, found)
        for name in MODULES
        for found in IMPORTS[name]
        if found.split(".")[0] == "macjax" and found not in MODULES
    }
    assert not unknown


def test_no_import_goes_up():
    upward = [
        f"{name} (level {level(name)}) imports {found} (level {level(found)})"
        for name in MODULES
        for found in sorted(INTERNAL[name])
        if level(found) > level(name)
    ]
    assert not upward


def test_no_imports_in_a_circle():
    assert not find_cycle(INTERNAL)


def test_the_finder_of_circles_finds_one():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert not find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_certificate_shares_no_code_with_the_solver():
    allowed = ("certificate", "scenario", "objectives", "_errors", "_version")
    for name in (n for n in MODULES if within(n, "certificate")):
        foreign = {found for found in INTERNAL[name] if not within(found, *allowed)}
        assert not foreign, f"{name} imports {foreign}"
        for package in ("jax", "equinox", "optax"):
            assert not imports_package(name, package), f"{name} imports {package}"


@pytest.mark.parametrize(
    ("package", "parts"),
    [
        ("pandas", ("_numerics", "_status", "_version", "sets", "solvers")),
        ("jax", ("scenario", "results", "plots", "config", "cli", "_commands")),
        ("jax", ("importers", "_import_command", "powerflow", "planning", "reports")),
        ("jax", ("interchange", "_export_command")),
        ("matplotlib", tuple(p for p in LEVELS if p not in ("plots", "tariffs"))),
        ("pandapower", tuple(p for p in LEVELS if p not in NETS)),
        ("xarray", tuple(p for p in LEVELS if p != "interchange")),
        ("clarabel", tuple(p for p in LEVELS if p != "tariffs")),
    ],
)
def test_a_package_stays_out_of_some_levels(package, parts):
    found = [n for n in MODULES if within(n, *parts) and imports_package(n, package)]
    assert not found


@pytest.mark.parametrize("name", MODULES)
def test_module_is_short_and_says_what_it_is(name):
    lines = MODULES[name].read_text("utf-8").count("\n")
    assert lines <= LONGEST_MODULE, f"{name} has {lines} lines"
    assert ast.get_docstring(TREES[name]), f"{name} has no docstring"
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name}.{node.name}: {length} lines"
    for node in TREES[name].body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            public = not node.name.startswith("_")
            assert not public or ast.get_docstring(node), f"{name}.{node.name}"
