"""The storefront's HTTP server."""

import hmac
import re
from dataclasses import asdict
from types import TracebackType
from typing import Self

from aiohttp import web
from pydantic import ValidationError

from devstack.storefront.products import product
from devstack.storefront.reposts import Repost, Reposts
from devstack.storefront.settings import Settings

_REPOSTS = web.AppKey("reposts", Reposts)
_TOKEN = web.AppKey("token", str)
# Used as a file name.
_REPOST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
_STOP_GRACE_SECONDS = 1.0

routes = web.RouteTableDef()


@routes.get("/products/{item_id}")
async def get_product(request: web.Request) -> web.Response:
    found = product(request.match_info["item_id"])
    if found is None:
        raise web.HTTPNotFound(text="no such product")
    return web.json_response(asdict(found))


@routes.post("/reposts/{id}")
async def create_repost(request: web.Request) -> web.Response:
    _authenticate(request)
    id_ = request.match_info["id"]
    if not _REPOST_ID.fullmatch(id_):
        raise web.HTTPBadRequest(text="an id is 1 to 200 letters, digits, - and _")
    try:
        repost = Repost.model_validate_json(await request.read())
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    if request.app[_REPOSTS].add(id_, repost) != repost:
        raise web.HTTPConflict(text="the id was used for another repost")
    return web.json_response({"url": f"https://{repost.network.lower()}.example/posts/{id_}"})


@routes.get("/reposts")
async def list_reposts(request: web.Request) -> web.Response:
    _authenticate(request)
    return web.json_response({"reposts": request.app[_REPOSTS].all()})


def _authenticate(request: web.Request) -> None:
    sent = request.headers.get("Authorization", "").encode(errors="replace")
    if not hmac.compare_digest(sent, f"Bearer {request.app[_TOKEN]}".encode()):
        raise web.HTTPUnauthorized(text="a bearer token is needed")


class Storefront:
    """Async context manager: serves while the block runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.address = settings.address
        app = web.Application()
        app[_REPOSTS] = Reposts(settings.data_dir / "reposts")
        app[_TOKEN] = settings.token.get_secret_value()
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_GRACE_SECONDS)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        host, _, port = self._settings.address.rpartition(":")
        await web.TCPSite(self._runner, host, int(port)).start()
        self.address = f"{host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
