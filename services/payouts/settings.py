"""Settings of the payouts service, read from the environment."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from servicekit.settings import (
    Address,
    ClientSettings,
    DatabaseSettings,
    ServerSettings,
    Settings,
    TemporalSettings,
)
from workflows.payout.providers import ProviderName


def _origin(value: str) -> str:
    scheme, separator, rest = value.rstrip("/").lower().partition("://")
    if scheme not in ("http", "https") or not separator or not rest or set("/@?#") & set(rest):
        raise ValueError("must look like https://host or https://host:port")
    return f"{scheme}://{rest}"


Origin = Annotated[str, AfterValidator(_origin)]


class PaypalSettings(Settings):
    # https://api-m.paypal.com in production.
    paypal_base_url: Origin
    paypal_client_id: str
    paypal_client_secret: SecretStr
    # PayPal's id of our webhook; part of the signed text.
    paypal_webhook_id: str
    paypal_webhook_listen_address: Address
    # The only origin of signing certificates: https://api.paypal.com in production.
    paypal_certificate_origin: Origin
    # PayPal accepts 400 POSTs a minute per account; divide it if several processes pay.
    paypal_posts_a_minute: int = Field(default=400, ge=1)


class PayoutsSettings(
    ServerSettings, DatabaseSettings, ClientSettings, TemporalSettings, PaypalSettings
):
    creators_address: Address = "127.0.0.1:15051"
    # Provider of new attempts, unless an operator chooses another.
    payout_provider: ProviderName = ProviderName.PAYPAL
