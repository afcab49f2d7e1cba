"""Settings of the storefront, from the environment."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`address` is `host:port`; port 0 asks the system for a free one."""

    model_config = SettingsConfigDict(env_prefix="STOREFRONT_")

    address: str = "127.0.0.1:8093"
    token: SecretStr
    data_dir: Path
