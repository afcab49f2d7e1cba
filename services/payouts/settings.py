"""What the payouts service is told by its environment."""

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
    # The id that PayPal gave to our webhook; it is part of what is signed.
    paypal_webhook_id: str
    paypal_webhook_listen_address: Address
    # The only place that signing certificates are taken from: https://api.paypal.com in production.
    paypal_certificate_origin: Origin
    # PayPal takes 400 a minute from one account: where several processes pay, each has its share.
    paypal_posts_a_minute: int = Field(default=400, ge=1)


class PayoutsSettings(
    ServerSettings, DatabaseSettings, ClientSettings, TemporalSettings, PaypalSettings
):
    creators_address: Address = "127.0.0.1:15051"
    # Who pays where no operator says otherwise.
    payout_provider: ProviderName = ProviderName.PAYPAL
