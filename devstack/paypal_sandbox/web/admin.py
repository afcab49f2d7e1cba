"""The admin routes that control the sandbox: no authentication, loopback callers only.

Their effects are described in the package's docstring.
"""

import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Annotated, Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, Field

from devstack.paypal_sandbox import errors, ids
from devstack.paypal_sandbox.alarm import Alarm
from devstack.paypal_sandbox.errors import PayPalError
from devstack.paypal_sandbox.lifecycle import Behaviour, ItemStatus
from devstack.paypal_sandbox.records import Conditions, Movement, Override
from devstack.paypal_sandbox.transactions.movements import PAYOUT
from devstack.paypal_sandbox.transactions.reporting import details
from devstack.paypal_sandbox.web.api import PAYOUTS, SHAPES, STORE
from devstack.paypal_sandbox.web.inputs import body_of

EVENTS_WAITING = web.AppKey("events_waiting", Alarm)

_PREFIX = "/admin/"
_AT_FIRST = Conditions()

_Seconds = Annotated[float, Field(ge=0, le=100 * 24 * 3600)]

routes = web.RouteTableDef()


@web.middleware
async def loopback_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    address = ipaddress.ip_address(request.remote or "0.0.0.0")  # noqa: S104  # not a bind
    if request.path.startswith(_PREFIX) and not address.is_loopback:
        raise PayPalError(403, "NOT_AUTHORIZED", "Admin calls are for loopback callers only.")
    return await handler(request)


class _WantedBehaviour(BaseModel):
    behaviour: Behaviour
    delay_seconds: _Seconds | None = None


@routes.get("/admin/behaviours")
async def list_behaviours(request: web.Request) -> web.Response:
    overrides = request.app[STORE].overrides()
    return web.json_response({"behaviours": [asdict(override) for override in overrides]})


@routes.put("/admin/behaviours/{receiver}")
async def set_behaviour(request: web.Request) -> web.Response:
    wanted = await body_of(request, _WantedBehaviour)
    receiver = request.match_info["receiver"].lower()
    override = Override(receiver, wanted.behaviour, wanted.delay_seconds)
    store = request.app[STORE]
    with store.transaction():
        store.set_override(override)
    return web.json_response(asdict(override))


@routes.delete("/admin/behaviours/{receiver}")
async def delete_behaviour(request: web.Request) -> web.Response:
    store = request.app[STORE]
    with store.transaction():
        is_deleted = store.delete_override(request.match_info["receiver"].lower())
    if not is_deleted:
        raise errors.not_found("behaviour")
    return web.Response(status=204)


class _WantedConditions(BaseModel):
    """Omitted fields are set to their initial values."""

    reporting_lag_seconds: _Seconds = _AT_FIRST.reporting_lag_seconds
    report_line_limit: Annotated[int, Field(ge=1)] = _AT_FIRST.report_line_limit
    posts_a_minute: Annotated[int, Field(ge=0)] | None = _AT_FIRST.posts_a_minute


@routes.put("/admin/conditions")
async def set_conditions(request: web.Request) -> web.Response:
    wanted = await body_of(request, _WantedConditions)
    conditions = Conditions(**wanted.model_dump())
    store = request.app[STORE]
    with store.transaction():
        store.set_conditions(conditions)
    return web.json_response(asdict(conditions))


class _WantedStatus(BaseModel):
    status: ItemStatus
    sends_webhook: bool = True


@routes.post("/admin/items/{item_id}")
async def change_item(request: web.Request) -> web.Response:
    wanted = await body_of(request, _WantedStatus)
    item = request.app[PAYOUTS].change_item(
        request.match_info["item_id"], wanted.status, sends_webhook=wanted.sends_webhook
    )
    batch = request.app[STORE].batch(item.batch_id)
    if batch is None:
        raise LookupError(item.batch_id)
    return web.json_response(request.app[SHAPES].item(item, batch))


@routes.post("/admin/events/{event_id}")
async def resend_event(request: web.Request) -> web.Response:
    store = request.app[STORE]
    with store.transaction():
        is_known = store.resend_event(request.match_info["event_id"], time.time())
    if not is_known:
        raise errors.not_found("event")
    request.app[EVENTS_WAITING].ring()
    return web.Response(status=204)


class _WantedLine(BaseModel):
    """A report line; by default a payout that was not made through the API."""

    amount: Decimal
    currency: str = "USD"
    event_code: str = PAYOUT
    status: str = "S"
    fee: Decimal | None = None
    custom_field: str | None = None
    reference_id: str | None = None
    initiated_at: AwareDatetime | None = None


@routes.post("/admin/transactions")
async def add_transaction(request: web.Request) -> web.Response:
    wanted = await body_of(request, _WantedLine)
    now = time.time()
    initiated_at = wanted.initiated_at.timestamp() if wanted.initiated_at else now
    line = Movement(
        ids.transaction_id(),
        updated_at=now,
        initiated_at=initiated_at,
        **wanted.model_dump(exclude={"initiated_at"}),
    )
    store = request.app[STORE]
    with store.transaction():
        store.movements.insert(line)
    return _line(line, status=201)


class _ChangedLine(BaseModel):
    """Omitted fields are not changed."""

    amount: Decimal | None = None
    currency: str | None = None
    status: str | None = None
    fee: Decimal | None = None
    custom_field: str | None = None
    is_reported: bool | None = None


@routes.patch("/admin/transactions/{transaction_id}")
async def tamper_with_transaction(request: web.Request) -> web.Response:
    wanted = await body_of(request, _ChangedLine)
    store = request.app[STORE]
    line = store.movements.get(request.match_info["transaction_id"])
    if line is None:
        raise errors.not_found("transaction")
    changed = replace(line, **wanted.model_dump(exclude_none=True))
    with store.transaction():
        store.movements.update(changed)
    return _line(changed)


def _line(line: Movement, status: int = 200) -> web.Response:
    body: dict[str, Any] = next(iter(details([line])))
    return web.json_response(body, status=status)
