"""Stores reposts, one file each, so that concurrent requests with one id store one repost."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Repost(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    network: str
    url: str
    title: str = ""
    text: str = ""
    image_url: str = ""


class Reposts:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, id_: str, repost: Repost) -> Repost:
        """Stores the repost unless the id is taken; returns the one that is stored."""
        file = self._folder / f"{id_}.json"
        # Written to a temporary file first, so that readers never get a partial one.
        written = self._folder / f".{id_}.{os.getpid()}"
        written.write_text(repost.model_dump_json(), encoding="utf-8")
        with suppress(FileExistsError):
            os.link(written, file)
        written.unlink()
        return Repost.model_validate_json(file.read_text(encoding="utf-8"))

    def all(self) -> list[dict[str, Any]]:
        """In order of their ids."""
        return [
            {"id": file.stem, **json.loads(file.read_text(encoding="utf-8"))}
            for file in sorted(self._folder.glob("[!.]*.json"))
        ]
