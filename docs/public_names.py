"""The public names of macjax: what users may import, and what each one is.

Public are the names in `macjax.__all__`, and of each module among them, and of those
that it has in turn, the names in its `__all__`; where it has none, what a package
re-exports (`from ... import x as x`) and what a module defines, without a leading
underscore.
"""

import ast
import dataclasses
import functools
import inspect
import types

import macjax


@dataclasses.dataclass(frozen=True)
class Public:
    """One public name.

    Arguments:
        module: `macjax`, or the module of it that has the name.
        name: the name there.
        value: what it names.
    """

    module: str
    name: str
    value: object = dataclasses.field(compare=False)

    @property
    def path(self) -> str:
        """The whole name, `macjax.baselines.unmanaged`."""
        return f"{self.module}.{self.name}"

    @property
    def kind(self) -> str:
        """`class`, `function`, or `value`."""
        if inspect.isclass(self.value):
            return "class"
        return "function" if callable(self.value) else "value"


@functools.cache
def public_modules() -> dict[str, types.ModuleType]:
    """`macjax` and its public modules, and theirs, by their whole names."""
    modules = {"macjax": macjax}
    for place in ("macjax", *(f"macjax.{name}" for name in macjax.__all__)):
        for name in names_of(modules[place]) if place in modules else ():
            if isinstance(value := getattr(modules[place], name), types.ModuleType):
                modules[f"{place}.{name}"] = value
    return modules


def names_of(module: types.ModuleType) -> list[str]:
    """Names that a public module offers, sorted."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    tree = ast.parse(inspect.getsource(module))
    aliases = [
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    own = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    return sorted(name for name in {*aliases, *own} if not name.startswith("_"))


def public_names() -> list[Public]:
    """All public names but those of modules, `macjax` first."""
    return [
        Public(place, name, value)
        for place, module in public_modules().items()
        for name in names_of(module)
        if not isinstance(value := getattr(module, name), types.ModuleType)
    ]


def public_methods(cls: type) -> dict[str, object]:
    """Methods and properties that a class of macjax has of its own or of another one.

    Those of NumPy, of tuples and of exceptions are left out.
    """
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] == "macjax":
            found |= {n: v for n, v in vars(base).items() if _is_method(n, v)}
    return found


def _is_method(name: str, value) -> bool:
    kinds = types.FunctionType | property | classmethod | staticmethod
    return not name.startswith("_") and isinstance(
        value, kinds | functools.cached_property
    )
