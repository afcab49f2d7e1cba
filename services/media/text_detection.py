"""Whether there is text in an image (R65), asked of text readers: a pool of processes.

Optional twice over: `media_text_detection` turns it on, `make ocr` installs what it needs.
"""

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from opentelemetry import trace

from services.media.confinement import Confinement
from services.media.process_pool import ConfinedProcess, Died, ProcessPool
from services.media.settings import MediaSettings

_tracer = trace.get_tracer(__name__)

_NEEDED = ("rapidocr", "onnxruntime", "cv2")
_START_SECONDS = 30.0  # models and libraries, on a busy machine; 3 s on an idle one
# One thread an image, in each of the libraries that would like more.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


class TextDetectionMissing(Exception):
    """It is turned on, and what it needs is not installed."""


@asynccontextmanager
async def detecting(settings: MediaSettings) -> AsyncIterator["TextDetector | None"]:
    """The detector, where the settings ask for one."""
    if not settings.media_text_detection:
        yield None
        return
    confinement = Confinement(
        settings.media_text_reader_memory_bytes,
        settings.media_text_reader_cpu_seconds,
        settings.media_text_reader_wall_seconds,
    )
    async with TextDetector(confinement) as detector:
        yield detector


class TextDetector:
    """Open and close it in the event loop that uses it.

    Raises:
        TextDetectionMissing: what `make ocr` installs is not there.
    """

    def __init__(self, confinement: Confinement, *, size: int = 1) -> None:
        if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            raise TextDetectionMissing(
                f"LIAISON_MEDIA_TEXT_DETECTION needs {', '.join(missing)}: run `make ocr`"
            )
        self._wall_seconds = confinement.wall_seconds
        self._ready: set[int] = set()  # processes that have said so
        self._processes = ProcessPool(
            "services.media.text_reader", confinement, size=size, environment=_ENVIRONMENT
        )

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._processes.__aexit__(*exc)

    async def has_text(self, content: bytes) -> bool | None:
        """None when it cannot be told: the image takes too long, or breaks its reader."""

        async def ask(reader: ConfinedProcess) -> bool | None:
            await self._until_ready(reader)
            async with asyncio.timeout(self._wall_seconds):
                await reader.send(b"{}", content)
                head, _ = await reader.receive(0)
            try:
                answer = json.loads(head)["shows_text"]
            except (ValueError, TypeError, KeyError) as error:
                raise Died from error
            return answer if isinstance(answer, bool) else None

        with _tracer.start_as_current_span("detect text") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                return await self._processes.converse(ask)
            except (Died, TimeoutError):
                return None

    async def _until_ready(self, reader: ConfinedProcess) -> None:
        if reader.pid not in self._ready:
            async with asyncio.timeout(_START_SECONDS):
                await reader.receive(0)
            self._ready.add(reader.pid)
