"""Validation of requests and responses against PayPal's OpenAPI contracts, if a copy is present.

They are not part of this repository: `LIAISON_CONTRACTS` names the folder that holds `paypal/`, or
a folder `shared/contracts` lies beside the checkout. This module defines the changes made to them
on reading, and the PayPal errors that they do not list.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

_BESIDE_CHECKOUT = Path(__file__).resolve().parents[4] / "shared" / "contracts"
FOLDER = Path(os.environ.get("LIAISON_CONTRACTS", _BESIDE_CHECKOUT)) / "paypal"
PAYOUTS = FOLDER / "payments_payouts_batch_v1.json"
REPORTS = FOLDER / "reporting_transactions_v1.json"

needs_contracts = pytest.mark.skipif(
    not PAYOUTS.exists(), reason="the vendor's contracts are not on this machine"
)

_HOST = "http://paypal"
# The reports' contract lists errors by name and text but omits this one, which PayPal does return
# (github.com/airbytehq/airbyte/issues/4404).
_UNLISTED = frozenset({"RESULTSET_TOO_LARGE"})


def document_of(path: Path) -> dict[str, Any]:
    """The contract with two changes.

    `servers` is replaced: it names PayPal's hosts, and in the reports' contract it repeats the
    prefix of every path. `security` is removed: openapi-core cannot check OAuth; the sandbox
    itself refuses calls without a token.
    """
    document: dict[str, Any] = json.loads(path.read_text())
    document["servers"] = [{"url": _HOST}]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


class Contracts:
    """Collects the contract violations of each call in `problems`; calls outside them are ignored.

    Without `checks_refused_requests`, a request that was refused is not validated: it may be
    invalid on purpose.
    """

    def __init__(self, *, checks_refused_requests: bool = True) -> None:
        self._checks_refused_requests = checks_refused_requests
        self.problems: list[str] = []

    async def check_response(self, response: httpx.Response) -> None:
        """A response hook of httpx."""
        await response.aread()
        request = response.request
        api = _apis().get(request.url.path.split("/")[2] if request.url.path.count("/") > 2 else "")
        if api is None:
            return
        mock_request = MockRequest(
            _HOST,
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=await request.aread(),
        )
        mock_response = MockResponse(
            response.content,
            status_code=response.status_code,
            headers=dict(response.headers),
            content_type=response.headers.get("Content-Type", ""),
        )
        errors: list[Exception] = []
        if self._checks_refused_requests or response.is_success:
            errors += api.iter_apicall_request_errors(mock_request)
        if not _UNLISTED & set(response.text.split('"')):
            errors += api.iter_apicall_response_errors(mock_request, mock_response)
        called = f"{request.method} {request.url.raw_path.decode()} {response.status_code}"
        self.problems += [f"{called}: {_describe(error)}" for error in errors]


@cache
def _apis() -> dict[str, OpenAPI]:
    """Contracts by the second segment of their paths; empty if the contracts are not present."""
    if not PAYOUTS.exists():
        return {}
    return {
        "payments": OpenAPI.from_dict(document_of(PAYOUTS)),
        "reporting": OpenAPI.from_dict(document_of(REPORTS)),
    }


def _describe(error: Exception) -> str:
    """The error, with the location and message of each schema violation."""
    details = getattr(error.__cause__ or error, "schema_errors", ())
    violations = [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in details]
    return f"{error!r} {violations}"
