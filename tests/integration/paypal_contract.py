"""Checks answers and requests against the vendor's OpenAPI contract, where a copy of it is at hand.

The contract is not part of this repository: `LIAISON_CONTRACTS` names the folder that holds
`paypal/`, or a folder `shared/contracts` lies beside the checkout. Only the keywords that contract
uses are understood, which is why a general JSON Schema library is not needed.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BESIDE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "contracts"
PAYOUTS = Path(os.environ.get("LIAISON_CONTRACTS", _BESIDE_CHECKOUT)) / (
    "paypal/payments_payouts_batch_v1.json"
)

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


class Contract:
    """One OpenAPI document; paths with parameters match any single segment."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())

    def answer_problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        responses = self._operation(method, path)["responses"]
        response = responses.get(str(status), responses["default"])
        return list(self._problems(_schema(response), body, "answer"))

    def request_problems(self, method: str, path: str, body: Any) -> list[str]:
        content = self._operation(method, path).get("requestBody")
        return list(self._problems(_schema(content), body, "request")) if content else []

    def _operation(self, method: str, path: str) -> Any:
        for template, operations in self._document["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in operations:
                return operations[method.lower()]
        raise LookupError(f"the contract has no {method} {path}")

    def _problems(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        schema = self._resolved(schema)
        for part in schema.get("allOf", []):
            yield from self._problems(part, value, where)
        wanted = schema.get("type")
        if wanted and not isinstance(value, _TYPES[wanted]):
            yield f"{where}: {value!r} is no {wanted}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        if isinstance(value, str):
            yield from _text_problems(schema, value, where)
        elif isinstance(value, list):
            for index, element in enumerate(value):
                yield from self._problems(schema.get("items", {}), element, f"{where}[{index}]")
        elif isinstance(value, dict):
            yield from self._object_problems(schema, value, where)

    def _object_problems(self, schema: Any, value: dict[str, Any], where: str) -> Iterator[str]:
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: {name} is missing"
        for name, element in value.items():
            known = schema.get("properties", {}).get(name, {})
            yield from self._problems(known, element, f"{where}.{name}")

    def _resolved(self, schema: Any) -> Any:
        while "$ref" in schema:
            target: Any = self._document
            for key in schema["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            schema = target
        return schema


def _schema(message: Any) -> Any:
    return message["content"]["application/json"]["schema"]


def _text_problems(schema: Any, value: str, where: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{where}: {value!r} has a wrong length"
    if not re.search(schema.get("pattern", ""), value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
