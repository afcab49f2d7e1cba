"""Settings of the tasks service, read from the environment."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from servicekit.settings import (
    Address,
    ClientSettings,
    DatabaseSettings,
    ServerSettings,
    TemporalSettings,
)
from workflows.policy import POLICIES


class TasksSettings(ServerSettings, DatabaseSettings, ClientSettings, TemporalSettings):
    """`tasks_offered_policies`: comma-separated names of the policies that brands can choose."""

    creators_address: Address = "127.0.0.1:15051"
    media_address: Address = "127.0.0.1:15053"
    tasks_offered_policies: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["standard"]
    )

    @field_validator("tasks_offered_policies", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("tasks_offered_policies")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if unknown := set(value) - POLICIES.keys():
            raise ValueError(f"unknown policies: {sorted(unknown)}")
        return value
