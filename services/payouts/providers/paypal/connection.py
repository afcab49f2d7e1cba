"""HTTP connection to PayPal: caches the access token, and repeats a read once if it is refused."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

import httpx

from services.payouts.providers.interface import NothingTaken, NotReadable
from services.payouts.providers.paypal.responses import name_in, read_json
from services.payouts.settings import PaypalSettings

ASK_SECONDS = 8.0
# Renew a token this long before it expires.
_TOKEN_MARGIN_SECONDS = 60.0


class PaypalConnection:
    def __init__(self, settings: PaypalSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._token = ""
        self._token_end = 0.0
        self._token_lock = asyncio.Lock()

    async def authorization(self, *, instead_of: str = "") -> str:
        """Returns the Authorization header, cached until shortly before its token expires.

        `instead_of` is a header that PayPal refused.

        Raises:
            NothingTaken: no token could be obtained.
        """
        async with self._token_lock:
            is_good = time.monotonic() < self._token_end and self._token != instead_of
            if not is_good:
                await self._renew_token()
            return self._token

    async def request(
        self,
        method: str,
        path: str,
        authorization: str,
        *,
        timeout_seconds: float = ASK_SECONDS,
        **more: Any,
    ) -> httpx.Response:
        """
        Raises:
            httpx.HTTPError.
        """
        return await self._http.request(
            method,
            f"{self._settings.paypal_base_url}{path}",
            headers={"Authorization": authorization, "Content-Type": "application/json"},
            timeout=timeout_seconds,
            **more,
        )

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Sends an idempotent request; returns the response whatever its status, except 401.

        Raises:
            NotReadable: there was no response, or authentication failed.
        """
        try:
            authorization = await self.authorization()
            response = await self.request(method, path, authorization, **more)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                authorization = await self.authorization(instead_of=authorization)
                response = await self.request(method, path, authorization, **more)
        except (NothingTaken, httpx.HTTPError) as error:
            raise NotReadable(type(error).__name__) from error
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise NotReadable(name_in(read_json(response)) or "AUTHENTICATION_FAILED")
        return response

    async def _renew_token(self) -> None:
        settings = self._settings
        try:
            response = await self._http.post(
                f"{settings.paypal_base_url}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(settings.paypal_client_id, settings.paypal_client_secret.get_secret_value()),
            )
            response.raise_for_status()
            answer = response.json()
            self._token = f"Bearer {answer['access_token']}"
            self._token_end = time.monotonic() + float(answer["expires_in"]) - _TOKEN_MARGIN_SECONDS
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NothingTaken("AUTHENTICATION_FAILED") from error
