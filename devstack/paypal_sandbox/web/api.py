"""Routes of PayPal's calls; free of rules and SQL."""

import logging
import math
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from devstack.paypal_sandbox import errors
from devstack.paypal_sandbox.errors import PayPalError
from devstack.paypal_sandbox.lifecycle import ResponseKind
from devstack.paypal_sandbox.payouts import Payouts, totals
from devstack.paypal_sandbox.representations import Representations
from devstack.paypal_sandbox.signing import CERTS_PATH, Signer
from devstack.paypal_sandbox.store import Store
from devstack.paypal_sandbox.transactions.reporting import REPORTING_PATH, Query, Reporting
from devstack.paypal_sandbox.web import requests
from devstack.paypal_sandbox.web.inputs import MAX_PAGE_SIZE, body_of, query_of, whole_number
from devstack.paypal_sandbox.web.throttle import Throttle
from devstack.paypal_sandbox.web.tokens import SCOPE, Tokens

STORE = web.AppKey("store", Store)
PAYOUTS = web.AppKey("payouts", Payouts)
TOKENS = web.AppKey("tokens", Tokens)
SHAPES = web.AppKey("shapes", Representations)
SIGNER = web.AppKey("signer", Signer)
REPORTING = web.AppKey("reporting", Reporting)
THROTTLE = web.AppKey("throttle", Throttle)

_GUARDED_PREFIXES = ("/v1/payments/", "/v1/reporting/")

_log = logging.getLogger(__name__)

routes = web.RouteTableDef()


@web.middleware
async def paypal_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Authenticates payout and report calls, and renders every error in PayPal's format."""
    try:
        if request.path.startswith(_GUARDED_PREFIXES):
            _authenticate(request)
        return await handler(request)
    except PayPalError as error:
        return _error(error)
    except web.HTTPException as error:
        name = error.reason.upper().replace(" ", "_")
        response = _error(PayPalError(error.status, name, error.reason))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
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
    """`PayPal-Request-Id` is accepted and ignored: only the sender_batch_id prevents duplicates."""
    if not request.app[THROTTLE].takes(request.app[STORE].conditions().posts_a_minute):
        raise errors.too_many_posts()
    wanted = await body_of(request, requests.CreatePayout)
    batch, response = request.app[PAYOUTS].create(wanted)
    if response is ResponseKind.SERVER_ERROR:
        raise errors.internal()
    if response is ResponseKind.DROPPED:
        _drop(request)
    return web.json_response(request.app[SHAPES].created(batch), status=201)


@routes.get("/v1/payments/payouts/{batch_id}")
async def get_batch(request: web.Request) -> web.Response:
    """`fields` is accepted and ignored: the whole resource is always sent."""
    store = request.app[STORE]
    page = whole_number(request, "page", 1)
    page_size = whole_number(request, "page_size", MAX_PAGE_SIZE)
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
    item, batch, response = request.app[PAYOUTS].cancel(request.match_info["item_id"])
    if response is ResponseKind.DROPPED:
        _drop(request)
    return web.json_response(request.app[SHAPES].item(item, batch))


@routes.get(REPORTING_PATH)
async def list_transactions(request: web.Request) -> web.Response:
    return web.json_response(request.app[REPORTING].report(query_of(request, Query)))


@routes.get(CERTS_PATH + "{certificate_id}")
async def get_certificate(request: web.Request) -> web.Response:
    signer = request.app[SIGNER]
    if request.match_info["certificate_id"] != signer.certificate_id:
        raise errors.not_found("certificate")
    return web.Response(body=signer.certificate, content_type="application/x-pem-file")


def _authenticate(request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not request.app[TOKENS].is_good(token.strip()):
        raise errors.unauthenticated()


def _drop(request: web.Request) -> None:
    """Closes the connection without a response, after the request took effect."""
    if request.transport is not None:
        request.transport.abort()


def _error(error: PayPalError) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return web.json_response(error.body(), status=error.status, headers=headers)
