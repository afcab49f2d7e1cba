"""What was reposted: a file each, so that an id is taken once whoever comes at the same time."""

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

    def keep(self, id_: str, repost: Repost) -> Repost:
        """What is kept under the id: this, unless another came first."""
        file = self._folder / f"{id_}.json"
        # Written beside it first: nobody ever reads half of one.
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
