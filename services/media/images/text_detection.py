"""Detects text in images (R65) with a pool of text reader processes.

Optional: the setting `media_text_detection` turns it on, and `make ocr` installs what it needs.
"""

import asyncio
import importlib.util
import json
from typing import Self

import structlog
from opentelemetry import trace

from services.media.sandbox.confinement import Confinement
from services.media.sandbox.process_pool import ConfinedProcess, ProcessDied, ProcessPool

log = structlog.get_logger()
_tracer = trace.get_tracer(__name__)

# Defaults. One image was measured to need 0.75 GB of memory and 1.9 GB of address space.
CONFINEMENT = Confinement(memory_bytes=3 * 1024**3, cpu_seconds=10, wall_seconds=5.0)
# How long a caller waits for a free reader: the result is only advice.
_WAIT_SECONDS = 2.0
_NEEDED = ("rapidocr", "onnxruntime", "cv2")
# One thread for each image: these libraries start more by default.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


class TextDetectionMissing(Exception):
    """Text detection is turned on, but its packages are not installed."""


class TextDetector:
    """Open and close it in the event loop that uses it.

    Raises:
        TextDetectionMissing: what `make ocr` installs is missing.
        RuntimeError: the first reader does not start.
    """

    def __init__(self, confinement: Confinement, *, size: int = 1) -> None:
        if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
            raise TextDetectionMissing(
                f"LIAISON_MEDIA_TEXT_DETECTION needs {', '.join(missing)}: run `make ocr`"
            )
        self._wall_seconds = confinement.wall_seconds
        self._free = asyncio.Semaphore(size)
        self._processes = ProcessPool(
            "services.media.images.text_reader", confinement, size=size, environment=_ENVIRONMENT
        )

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._processes.__aexit__(*exc)

    async def has_text(self, content: bytes) -> bool | None:
        """None if unknown: `content` is no image, takes too long or crashes its reader, or no
        reader is free within 2 seconds."""

        async def exchange(reader: ConfinedProcess) -> bool | None:
            async with asyncio.timeout(self._wall_seconds):
                await reader.send(b"{}", content)
                head, _ = await reader.receive(0)
            try:
                has_text = json.loads(head)["has_text"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise ProcessDied from error
            return has_text if isinstance(has_text, bool) else None

        with _tracer.start_as_current_span("detect text") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._free.acquire()
            except TimeoutError:
                log.warning("text_not_detected", error="no reader is free")
                return None
            try:
                return await self._processes.run(exchange)
            except (ProcessDied, TimeoutError, RuntimeError) as error:
                # RuntimeError: the reader does not start. Advice must not fail a call.
                log.warning("text_not_detected", error=type(error).__name__)
                return None
            finally:
                self._free.release()
