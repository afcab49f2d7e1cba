"""Resolves the places where rules are enforced: names in Python modules, SQL and proto files."""

import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from scripts.rules.rule_list import Rule


def locate(place: str, root: Path) -> str:
    """Path and line of a place: `module.name` of Python, `path:name` of SQL and protos.

    Raises:
        LookupError: the place does not exist.
    """
    if ":" in place:
        path, _, name = place.partition(":")
        return f"{path}:{_line_of(name, root / path)}"
    module, names = _module_of(place)
    found: object = module
    for name in names:
        if hasattr(found, name):
            found = getattr(found, name)
        elif name not in getattr(found, "__annotations__", {}):  # fields without a default
            raise LookupError(f"{module.__name__} has no {'.'.join(names)}")
    file = Path(module.__file__ or "")
    if not file.is_relative_to(root):
        raise LookupError(f"{module.__name__} is no module of this project")
    path = file.relative_to(root).as_posix()
    try:
        return f"{path}:{inspect.getsourcelines(found)[1]}"  # type: ignore[arg-type] # else raises
    except (OSError, TypeError):
        return f"{path}:{_line_of(names[-1], root / path)}"


def _line_of(name: str, path: Path) -> int:
    if not path.is_file():
        raise LookupError("there is no such file")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(rf"\b{re.escape(name)}\b", line):
            return number
    raise LookupError(f"the file does not mention {name}")


def _module_of(place: str) -> tuple[ModuleType, list[str]]:
    """The module of a dotted name, and the names inside it."""
    names = place.split(".")
    for count in range(len(names) - 1, 0, -1):
        module_name = ".".join(names[:count])
        try:
            return importlib.import_module(module_name), names[count:]
        except ModuleNotFoundError as error:
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise LookupError(f"{module_name} cannot be imported: {error}") from error
        except Exception as error:
            raise LookupError(f"{module_name} cannot be imported: {error!r}") from error
    raise LookupError("there is no such module")


def place_problems(rules: Sequence[Rule], root: Path) -> Iterator[str]:
    for rule in rules:
        for place in rule.places:
            try:
                locate(place, root)
            except LookupError as error:
                yield f"{rule.id} is not enforced at {place}: {error.args[0]}"
