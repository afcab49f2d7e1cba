"""A benchmark's result, printed as one line of JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from operator import ge, le


@dataclass(frozen=True)
class Result:
    """`goal` is a comparison such as `<= 20` or `>= 0.5`."""

    name: str
    value: float
    unit: str
    goal: str

    @property
    def ok(self) -> bool:
        comparison, _, bound = self.goal.partition(" ")
        compare: Callable[[float, float], bool] = {"<=": le, ">=": ge}[comparison]
        return compare(self.value, float(bound))

    def line(self) -> str:
        return json.dumps({**asdict(self), "value": round(self.value, 3), "ok": self.ok})
