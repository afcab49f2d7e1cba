"""The routes of PayPal's calls and of the admin's: HTTP in and out, no rules and no SQL."""

import ipaddress
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import aiohttp
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from devstack.paypal_sandbox import errors, requests
from devstack.paypal_sandbox.errors import PayPalError
from devstack.paypal_sandbox.lifecycle import Answer, Behaviour
from devstack.paypal_sandbox.payouts import Payouts, totals
from devstack.paypal_sandbox.records import Override
from devstack.paypal_sandbox.representations import Representations
from devstack.paypal_sandbox.signing import CERTS_PATH, Signer
from devstack.paypal_sandbox.store import Store
from devstack.paypal_sandbox.tokens import SCOPE, Tokens

STORE = web.AppKey("store", Store)
PAYOUTS = web.AppKey("payouts", Payouts)
TOKENS = web.AppKey("tokens", Tokens)
SHAPES = web.AppKey("shapes", Representations)
SIGNER = web.AppKey("signer", Signer)

_PAYMENTS_PREFIX = "/v1/payments/"
_MAX_PAGE_SIZE = 1000

_Model = TypeVar("_Model", bound=BaseModel)

_log = logging.getLogger(__name__)

routes = web.RouteTableDef()


@web.middleware
async def paypal_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Authenticates the payments calls and gives every failure PayPal's shape."""
    try:
        if request.path.startswith(_PAYMENTS_PREFIX):
            _authenticate(request)
        return await handler(request)
    except PayPalError as error:
        return _error(error)
    except web.HTTPException as error:
        name = error.reason.upper().replace(" ", "_")
        return _error(PayPalError(error.status, name, error.reason))
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return _error(errors.internal())


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@routes.post("/v1/oauth2/token")
async def issue_token(request: web.Request) -> web.Response:
    tokens = request.app[TOKENS]
    try:
        basic = aiohttp.BasicAuth.decode(request.headers.get("Authorization", ""), "utf-8")
    except ValueError:
        basic = aiohttp.BasicAuth("")
    if not tokens.are_credentials(basic.login, basic.password):
        return web.json_response(
            {"error": "invalid_client", "error_description": "Unknown client or wrong secret"},
            status=401,
        )
    if (await request.post()).get("grant_type") != "client_credentials":
        return web.json_response({"error": "unsupported_grant_type"}, status=400)
    return web.json_response(
        {
            "scope": SCOPE,
            "access_token": tokens.issue(),
            "token_type": "Bearer",
            "app_id": "APP-SANDBOX",
            "expires_in": math.ceil(tokens.lifetime_seconds),
        }
    )


@routes.post("/v1/payments/payouts")
async def create_payout(request: web.Request) -> web.Response:
    """`PayPal-Request-Id` is accepted and means nothing: only the sender_batch_id guards."""
    wanted = await _body(request, requests.CreatePayout)
    batch, answer = request.app[PAYOUTS].create(wanted)
    if answer is Answer.SERVER_ERROR:
        raise errors.internal()
    if answer is Answer.DROPPED and request.transport is not None:
        request.transport.abort()
    return web.json_response(request.app[SHAPES].created(batch), status=201)


@routes.get("/v1/payments/payouts/{batch_id}")
async def get_batch(request: web.Request) -> web.Response:
    """`fields` is accepted and ignored: the whole is always sent."""
    store = request.app[STORE]
    page = _whole_number(request, "page", 1)
    page_size = _whole_number(request, "page_size", _MAX_PAGE_SIZE)
    batch = store.batch(request.match_info["batch_id"])
    if batch is None:
        raise errors.not_found("payout batch")
    everything = store.items(batch.batch_id)
    amount, fees = totals(everything)
    shown = everything[(page - 1) * page_size : page * page_size]
    body = request.app[SHAPES].batch(batch, amount=amount, fees=fees, items=shown)
    if request.query.get("total_required", "").lower() == "true":
        body["total_items"] = len(everything)
        body["total_pages"] = math.ceil(len(everything) / page_size)
    return web.json_response(body)


@routes.get("/v1/payments/payouts-item/{item_id}")
async def get_item(request: web.Request) -> web.Response:
    store = request.app[STORE]
    item = store.item(request.match_info["item_id"])
    batch = store.batch(item.batch_id) if item else None
    if item is None or batch is None:
        raise errors.not_found("payout item")
    return web.json_response(request.app[SHAPES].item(item, batch))


@routes.post("/v1/payments/payouts-item/{item_id}/cancel")
async def cancel_item(request: web.Request) -> web.Response:
    item, batch = request.app[PAYOUTS].cancel(request.match_info["item_id"])
    return web.json_response(request.app[SHAPES].item(item, batch))


@routes.get(CERTS_PATH + "{certificate_id}")
async def get_certificate(request: web.Request) -> web.Response:
    signer = request.app[SIGNER]
    if request.match_info["certificate_id"] != signer.certificate_id:
        raise errors.not_found("certificate")
    return web.Response(body=signer.certificate, content_type="application/x-pem-file")


class _WantedBehaviour(BaseModel):
    behaviour: Behaviour
    delay_seconds: Annotated[float, Field(ge=0, le=100 * 24 * 3600)] | None = None


@routes.get("/admin/behaviours")
async def list_behaviours(request: web.Request) -> web.Response:
    _require_loopback(request)
    overrides = request.app[STORE].overrides()
    return web.json_response({"behaviours": [_shown(override) for override in overrides]})


@routes.put("/admin/behaviours/{receiver}")
async def set_behaviour(request: web.Request) -> web.Response:
    _require_loopback(request)
    wanted = await _body(request, _WantedBehaviour)
    receiver = request.match_info["receiver"].lower()
    override = Override(receiver, wanted.behaviour, wanted.delay_seconds)
    store = request.app[STORE]
    with store.transaction():
        store.set_override(override)
    return web.json_response(_shown(override))


@routes.delete("/admin/behaviours/{receiver}")
async def delete_behaviour(request: web.Request) -> web.Response:
    _require_loopback(request)
    store = request.app[STORE]
    with store.transaction():
        is_deleted = store.delete_override(request.match_info["receiver"].lower())
    if not is_deleted:
        raise errors.not_found("behaviour")
    return web.Response(status=204)


def _authenticate(request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not request.app[TOKENS].is_good(token.strip()):
        raise errors.unauthenticated()


def _require_loopback(request: web.Request) -> None:
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104  # not a bind
        raise PayPalError(403, "NOT_AUTHORIZED", "Admin calls are for loopback callers only.")


async def _body(request: web.Request, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise errors.validation(*requests.violations(error)) from None


def _whole_number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MAX_PAGE_SIZE):
        issue = f"must be a number from 1 to {_MAX_PAGE_SIZE}"
        raise errors.validation({"field": name, "location": "query", "issue": issue})
    return int(text)


def _shown(override: Override) -> dict[str, Any]:
    return {
        "receiver": override.receiver,
        "behaviour": override.behaviour,
        "delay_seconds": override.delay_seconds,
    }


def _error(error: PayPalError) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return web.json_response(error.body(), status=error.status, headers=headers)
