"""PayPal's own OpenAPI contracts, where a copy of them is at hand, held against what is said.

They are not part of this repository: `LIAISON_CONTRACTS` names the folder that holds `paypal/`, or
a folder `shared/contracts` lies beside the checkout. What is changed in them when they are read,
and which of PayPal's answers they do not know, is told here and nowhere else.
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
# The reports' errors are listed by name and text, and this one is not among them; PayPal gives it
# all the same (github.com/airbytehq/airbyte/issues/4404).
_UNLISTED = frozenset({"RESULTSET_TOO_LARGE"})


def document_of(path: Path) -> dict[str, Any]:
    """The contract with two changes.

    Its servers are PayPal's, and that of the reports ends with what each of its paths begins with.
    Its security is OAuth, which openapi-core cannot check: the sandbox does, by refusing.
    """
    document: dict[str, Any] = json.loads(path.read_text())
    document["servers"] = [{"url": _HOST}]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


class Contracts:
    """Keeps what breaks them, of each call that it is shown; other calls are none of its business.

    Without `knows_better`, a request that was refused may have been wrong on purpose.
    """

    def __init__(self, *, knows_better: bool = True) -> None:
        self._knows_better = knows_better
        self.problems: list[str] = []

    async def check_response(self, response: httpx.Response) -> None:
        """A response hook of httpx."""
        await response.aread()
        request = response.request
        api = _apis().get(request.url.path.split("/")[2] if request.url.path.count("/") > 2 else "")
        if api is None:
            return
        asked = MockRequest(
            _HOST,
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=await request.aread(),
        )
        answered = MockResponse(
            response.content,
            status_code=response.status_code,
            headers=dict(response.headers),
            content_type=response.headers.get("Content-Type", ""),
        )
        errors: list[Exception] = []
        if self._knows_better or response.is_success:
            errors += api.iter_apicall_request_errors(asked)
        if not _UNLISTED & set(response.text.split('"')):
            errors += api.iter_apicall_response_errors(asked, answered)
        called = f"{request.method} {request.url.raw_path.decode()} {response.status_code}"
        self.problems += [f"{called}: {_words(error)}" for error in errors]


@cache
def _apis() -> dict[str, OpenAPI]:
    """By the second part of their paths. None where the contracts are not at hand."""
    if not PAYOUTS.exists():
        return {}
    return {
        "payments": OpenAPI.from_dict(document_of(PAYOUTS)),
        "reporting": OpenAPI.from_dict(document_of(REPORTS)),
    }


def _words(error: Exception) -> str:
    """With what the schema says of each place, where it is that which is broken."""
    details = getattr(error.__cause__ or error, "schema_errors", ())
    places = [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in details]
    return f"{error!r} {places}"
