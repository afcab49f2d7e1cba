"""Whether there is text in an image (R65), asked of text readers: a pool of processes.

Optional twice over: `media_text_detection` turns it on, `make ocr` installs what it needs.
"""

import asyncio
import importlib.util
import json
from typing import Self

import structlog
from opentelemetry import trace

from services.media.sandbox.confinement import Confinement
from services.media.sandbox.process_pool import ConfinedProcess, Died, ProcessPool

log = structlog.get_logger()
_tracer = trace.get_tracer(__name__)

# Where nothing else is configured. One image was seen to need 0.75 GB, and 1.9 GB of addresses.
CONFINEMENT = Confinement(memory_bytes=3 * 1024**3, cpu_seconds=10, wall_seconds=5.0)
# What a caller waits for a reader that is free: advice is not worth more.
_PATIENCE_SECONDS = 2.0
_NEEDED = ("rapidocr", "onnxruntime", "cv2")
# One thread an image, in each of the libraries that would like more.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


class TextDetectionMissing(Exception):
    """It is turned on, and what it needs is not installed."""


class TextDetector:
    """Open and close it in the event loop that uses it.

    Raises:
        TextDetectionMissing: what `make ocr` installs is not there.
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
        """None when it cannot be told: the image takes too long, breaks its reader, or is none; or
        no reader is free for a while."""

        async def ask(reader: ConfinedProcess) -> bool | None:
            async with asyncio.timeout(self._wall_seconds):
                await reader.send(b"{}", content)
                head, _ = await reader.receive(0)
            try:
                answer = json.loads(head)["shows_text"]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise Died from error
            return answer if isinstance(answer, bool) else None

        with _tracer.start_as_current_span("detect text") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._free.acquire()
            except TimeoutError:
                log.warning("text_not_detected", error="no reader is free")
                return None
            try:
                return await self._processes.converse(ask)
            except (Died, TimeoutError, RuntimeError) as error:
                # The last is of a reader that does not start: advice is not worth a failed call.
                log.warning("text_not_detected", error=type(error).__name__)
                return None
            finally:
                self._free.release()
