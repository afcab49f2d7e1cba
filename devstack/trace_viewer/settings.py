"""Settings of the trace viewer, read from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Addresses are `host:port`; port 0 asks the system for a free one."""

    model_config = SettingsConfigDict(env_prefix="TRACE_VIEWER_")

    otlp_address: str = "127.0.0.1:4317"
    http_address: str = "127.0.0.1:16686"
    max_traces: int = Field(default=2_000, ge=1)
    max_spans: int = Field(default=200_000, ge=1)
    max_spans_per_trace: int = Field(default=10_000, ge=1)
