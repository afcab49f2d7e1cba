"""Settings of the sandbox, read from the environment."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Without a webhook URL, events are recorded but not sent."""

    model_config = SettingsConfigDict(env_prefix="SANDBOX_")

    address: str = "127.0.0.1:8400"
    """`host:port`; port 0 asks the system for a free one."""
    public_url: str = "http://127.0.0.1:8400"
    """Base of every link in a response and of the certificate's address."""
    client_id: str
    client_secret: SecretStr
    webhook_url: str | None = None
    webhook_id: str = "WH-SANDBOX"
    data_dir: Path
    token_seconds: float = Field(default=32_400, gt=0)
    """Nine hours, the lifetime of PayPal's tokens."""
    step_seconds: float = Field(default=0.15, ge=0)
    """Time between two ordinary changes of state."""
