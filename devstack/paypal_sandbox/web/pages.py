"""The web page: recent batches, their items, and the delivery state of each webhook."""

import inspect
from pathlib import Path

import jinja2
from aiohttp import web

import devstack.paypal_sandbox
from devstack.paypal_sandbox.amounts import as_text
from devstack.paypal_sandbox.representations import timestamp
from devstack.paypal_sandbox.web.api import STORE

_REFRESH_SECONDS = 3
_SHOWN_BATCHES = 50
_SHOWN_ITEMS = 20
_SHOWN_EVENTS = 40

# Receivers and notes are anyone's text: escaped, and were that to fail, still not run.
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

routes = web.RouteTableDef()

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"timestamp": timestamp}


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    store = request.app[STORE]
    batches = [
        {
            "batch": batch,
            "items": store.items(batch.batch_id, limit=_SHOWN_ITEMS),
            "item_count": store.count_items(batch.batch_id),
            "events": store.events_of(batch.batch_id, _SHOWN_EVENTS),
        }
        for batch in store.newest_batches(_SHOWN_BATCHES)
    ]
    is_refreshing = request.query.get("refresh") == "1"
    text = _TEMPLATES.get_template("home.html").render(
        batches=batches,
        overrides=store.overrides(),
        as_text=as_text,
        manual=inspect.getdoc(devstack.paypal_sandbox) or "",
        refresh_seconds=_REFRESH_SECONDS if is_refreshing else None,
    )
    return web.Response(text=text, content_type="text/html", headers=_SECURITY_HEADERS)
