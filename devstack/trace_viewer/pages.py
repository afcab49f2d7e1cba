"""The two web pages, rendered on the server without scripts or external assets."""

from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web
from yarl import URL

from devstack.trace_viewer import display
from devstack.trace_viewer.api import STORE, matching
from devstack.trace_viewer.filters import InvalidFilterError, TraceFilter
from devstack.trace_viewer.store import TraceStore
from devstack.trace_viewer.waterfall import lay_out

_REFRESH_SECONDS = 3

# Names and attributes come from anywhere. They are escaped; should that ever fail, the browser
# still runs nothing.
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

routes = web.RouteTableDef()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": display.duration,
        "tick": display.tick,
        "clock_time": display.clock_time,
        "attribute_value": display.attribute_value,
    }
    return environment


_TEMPLATES = _environment()


@routes.get("/")
async def trace_list(request: web.Request) -> web.Response:
    store = request.app[STORE]
    problem = ""
    try:
        wanted = TraceFilter.from_query(request.query)
    except InvalidFilterError as error:
        wanted, problem = TraceFilter(), str(error)
    is_refreshing = request.query.get("refresh") == "1"
    toggled = request.rel_url.update_query(refresh="0" if is_refreshing else "1")
    return _page(
        "traces.html",
        store,
        status=400 if problem else 200,
        traces=matching(store, wanted),
        wanted=wanted,
        problem=problem,
        refresh_seconds=_REFRESH_SECONDS if is_refreshing else None,
        toggle_refresh_url=_relative(toggled),
    )


@routes.get("/traces/{trace_id}")
async def trace_page(request: web.Request) -> web.Response:
    store = request.app[STORE]
    trace = store.get(request.match_info["trace_id"].lower())
    if trace is None:
        return _page("missing.html", store, status=404, trace_id=request.match_info["trace_id"])
    return _page(
        "trace.html",
        store,
        trace=trace,
        waterfall=lay_out(trace),
        is_known=lambda trace_id: store.get(trace_id) is not None,
    )


def _page(template: str, store: TraceStore, *, status: int = 200, **values: Any) -> web.Response:
    text = _TEMPLATES.get_template(template).render(
        store=store,
        colour=lambda service: display.colour_class(store.services.get(service, 0)),
        **values,
    )
    return web.Response(
        text=text, content_type="text/html", status=status, headers=_SECURITY_HEADERS
    )


def _relative(url: URL) -> str:
    return str(url.relative()) if url.is_absolute() else str(url)
