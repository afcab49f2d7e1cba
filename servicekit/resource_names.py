"""Resource names (AIP-122): building them and taking them apart."""

import re
from functools import cache

from servicekit.errors import Violation, invalid_fields

# One path segment, as AIP-122 allows it; ids are ours or a platform's, never free text.
_SEGMENT = r"([A-Za-z0-9](?:[A-Za-z0-9._~-]{0,61}[A-Za-z0-9])?)"


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", lambda _: _SEGMENT, pattern))


def parse_ids(pattern: str, name: str, *, field: str = "name") -> tuple[str, ...]:
    """The ids in `name`, which must look like `pattern`, such as `tasks/{task}`.

    Raises:
        InvalidArgument: `name` does not; the violation names `field`.
    """
    match = _expression(pattern).fullmatch(name)
    if match is None:
        raise invalid_fields(Violation(field, "AIP-122", f"Must look like {pattern}"))
    return match.groups()


def parse_id(pattern: str, name: str, *, field: str = "name") -> str:
    """The one id in `name`; see `ids`."""
    (found,) = parse_ids(pattern, name, field=field)
    return found
