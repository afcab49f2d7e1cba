"""Parsing of resource names (AIP-122)."""

import re
from functools import cache

from servicekit.errors import Violation, invalid_fields

# One path segment, as AIP-122 allows it. Ids come from the platform or its clients' systems.
_SEGMENT = r"([A-Za-z0-9](?:[A-Za-z0-9._~-]{0,61}[A-Za-z0-9])?)"


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", lambda _: _SEGMENT, pattern))


def parse_ids(pattern: str, name: str, *, field: str = "name") -> tuple[str, ...]:
    """Returns the ids in `name`, which must match `pattern`, such as `tasks/{task}`.

    Raises:
        InvalidArgument: `name` does not match; the violation names `field`.
    """
    match = _expression(pattern).fullmatch(name)
    if match is None:
        raise invalid_fields(Violation(field, "AIP-122", f"Must look like {pattern}"))
    return match.groups()


def parse_id(pattern: str, name: str, *, field: str = "name") -> str:
    """Returns the only id in `name`; see `parse_ids`."""
    (found,) = parse_ids(pattern, name, field=field)
    return found
