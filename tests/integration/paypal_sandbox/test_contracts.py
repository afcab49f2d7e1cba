"""The sandbox under generated requests, valid and invalid by PayPal's contracts.

Schemathesis generates the requests deterministically and validates each response against the
contract. Two of its checks are left out, because PayPal's contracts do not support them:

- that every request which fits the schema is accepted: the schema accepts any two strings as an
  amount, page 0 although its description says non-zero, and any two times as a range;
- that every request which does not fit is refused: PayPal ignores unknown fields, as the
  sandbox does with `fields`, `total_required` and `PayPal-Request-Id`.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from devstack.paypal_sandbox.settings import Settings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from tests.integration.payouts.harness import eventually
from tests.integration.paypal_sandbox.contracts import (
    PAYOUTS,
    REPORTS,
    Contracts,
    document_of,
    needs_contracts,
)

pytestmark = needs_contracts

EXAMPLES = 60
CREDENTIALS = ("client", "secret")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
    unsupported_method,
]


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """An authenticated client, with a payout that is paid and one that is unclaimed."""
    url = f"http://127.0.0.1:{free_port()}"
    sandbox = Settings(
        address=url.removeprefix("http://"),
        public_url=url,
        client_id=CREDENTIALS[0],
        client_secret=SecretStr(CREDENTIALS[1]),
        data_dir=tmp_path / "sandbox",
        step_seconds=0,
    )
    async with Sandbox(sandbox), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        response = await http.post(
            "/v1/oauth2/token", auth=CREDENTIALS, data={"grant_type": "client_credentials"}
        )
        http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        yield http


async def paid(http: httpx.AsyncClient, receiver: str) -> tuple[str, str]:
    """Pays one item; returns the ids of the completed batch and of the item."""
    amount = {"currency": "USD", "value": "10.00"}
    items = [{"recipient_type": "EMAIL", "receiver": receiver, "amount": amount}]
    body = {"sender_batch_header": {"sender_batch_id": receiver}, "items": items}
    created = (await http.post("/v1/payments/payouts", json=body)).json()
    batch_id: str = created["batch_header"]["payout_batch_id"]
    seen: dict[str, Any] = {}

    async def is_done() -> bool:
        seen.update((await http.get(f"/v1/payments/payouts/{batch_id}")).json())
        return bool(seen["batch_header"]["batch_status"] == "SUCCESS")

    await eventually(is_done)
    return batch_id, seen["items"][0]["payout_item_id"]


async def assert_conforms(
    http: httpx.AsyncClient, cases: SearchStrategy[Case], *expected: int
) -> None:
    """Validates the responses to all of `cases`; each status of `expected` must occur."""
    statuses: set[int] = set()
    headers = {"Authorization": http.headers["Authorization"]}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Case) -> None:
        response = case.call(base_url=str(http.base_url), headers=headers, timeout=10)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS, headers=headers)

    await asyncio.to_thread(ask)
    assert statuses >= set(expected)


def any_case(path: Path, name: str, method: str, **fixed: Any) -> SearchStrategy[Case]:
    operation = schemathesis.openapi.from_dict(document_of(path))[name][method]
    return st.one_of(
        operation.as_strategy(GenerationMode.POSITIVE),
        operation.as_strategy(GenerationMode.NEGATIVE),
        operation.as_strategy(GenerationMode.POSITIVE, **fixed),
    )


def payable(case: Case) -> Case:
    """The same request with valid amounts and receivers."""
    # The contract does not require a body.
    body: Any = case.body if isinstance(case.body, dict) else {"items": []}
    for item in body["items"]:
        item["amount"] = {"currency": "USD", "value": "1.00"}
        item["receiver"] = "anna@example.com"
    return case


async def test_creating_a_payout(paypal: httpx.AsyncClient) -> None:
    name = "/v1/payments/payouts"
    operation = schemathesis.openapi.from_dict(document_of(PAYOUTS))[name]["POST"]
    cases = st.one_of(any_case(PAYOUTS, name, "POST"), operation.as_strategy().map(payable))
    await assert_conforms(paypal, cases, 201, 400)


async def test_reading_a_payout(paypal: httpx.AsyncClient) -> None:
    batch_id, _ = await paid(paypal, "anna@example.com")
    known = any_case(PAYOUTS, "/v1/payments/payouts/{id}", "GET", path_parameters={"id": batch_id})
    await assert_conforms(paypal, known, 200, 404)


async def test_reading_an_item(paypal: httpx.AsyncClient) -> None:
    _, item_id = await paid(paypal, "anna@example.com")
    known = {"payout_item_id": item_id}
    path = "/v1/payments/payouts-item/{payout_item_id}"
    cases = any_case(PAYOUTS, path, "GET", path_parameters=known)
    await assert_conforms(paypal, cases, 200, 404)


@pytest.mark.parametrize(("payee", "expected"), [("unclaimed", 200), ("anna", 400)])
async def test_cancelling_an_item(paypal: httpx.AsyncClient, payee: str, expected: int) -> None:
    _, item_id = await paid(paypal, f"{payee}@example.com")
    known = {"payout_item_id": item_id}
    path = "/v1/payments/payouts-item/{payout_item_id}/cancel"
    cases = any_case(PAYOUTS, path, "POST", path_parameters=known)
    await assert_conforms(paypal, cases, expected, 404)


async def test_listing_transactions(paypal: httpx.AsyncClient) -> None:
    for receiver in ("anna@example.com", "unclaimed@example.com", "reversed-late@example.com"):
        await paid(paypal, receiver)
    now = datetime.now(UTC)
    known = {
        "start_date": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "end_date": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    path = "/v1/reporting/transactions"
    cases = any_case(REPORTS, path, "GET", query=known)
    await assert_conforms(paypal, cases, 200, 400)


class TestContracts:
    """The hook that validates every call of our own client."""

    async def test_violations_by_a_request_and_a_response_are_found(self) -> None:
        contracts = Contracts()
        asked = httpx.Request(
            "GET", "http://x/v1/reporting/transactions", params={"page_size": 501}
        )
        await contracts.check_response(httpx.Response(200, json={"page": "1"}, request=asked))
        found = "\n".join(contracts.problems)
        for problem in ("start_date", "end_date", "501", "'1' is not of type 'integer'"):
            assert problem in found

    async def test_valid_calls_and_calls_outside_the_contracts_are_no_problem(
        self, paypal: httpx.AsyncClient
    ) -> None:
        contracts = Contracts()
        paypal.event_hooks = {"response": [contracts.check_response]}
        await paid(paypal, "anna@example.com")
        await paypal.get("/v1/payments/payouts/NONE")
        await paypal.get("/")
        assert contracts.problems == []
