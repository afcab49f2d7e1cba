"""The text reader: a confined worker process in which RapidOCR finds text in accepted images.

It speaks frames over standard input and output (`services.media.sandbox.frames`), holds no secret,
and opens no file once its models are loaded; only then does it send its first frame. The pool that
started it (`services.media.images.text_detection`) limits wall time and replaces it. It needs what
`make ocr` installs, and downloads nothing: the wheel contains the models.
"""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO

import cv2
import numpy as np
from rapidocr import RapidOCR

from servicekit.process import die_with_parent
from services.media.sandbox.confinement import confine, grant_cpu_seconds
from services.media.sandbox.frames import READY, read_frame, write_frame

# Measured on photographs: other shapes reach a confidence of at most 0.8, text 0.95.
_CONFIDENCE = 0.9
_LETTERS = 3  # fewer are a size, a number or a mark, which need no translation
_LONGER_SIDE = 1280  # pixels; letters too small at this size are too small on a phone
_REGIONS = 8  # the largest ones are read: a page full of text would take 30 s
_PARAMETERS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,  # upside-down text
    "Global.max_side_len": _LONGER_SIDE,
    # Images are read in parallel processes instead.
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


def has_text(engine: RapidOCR, content: bytes) -> bool | None:
    """None if `content` cannot be decoded."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if image is None:
        return None
    found = engine(image, use_det=True, use_cls=False, use_rec=False)
    boxes = [] if found.boxes is None else [_bounds(corners) for corners in found.boxes]
    largest = sorted(boxes, key=lambda box: (box[1] - box[0]) * (box[3] - box[2]), reverse=True)
    for top, bottom, left, right in largest[:_REGIONS]:
        region = image[top:bottom, left:right]
        if region.size and _is_text(engine(region, use_det=False, use_cls=False, use_rec=True)):
            return True
    return False


def _bounds(corners: Any) -> tuple[int, int, int, int]:
    """The upright rectangle around a region: top, bottom, left, right."""
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return max(int(top), 0), int(bottom) + 1, max(int(left), 0), int(right) + 1


def _is_text(read: Any) -> bool:
    lines: Iterable[tuple[str, float]] = zip(read.txts or (), read.scores or (), strict=True)
    return any(
        score >= _CONFIDENCE and sum(map(str.isalpha, text)) >= _LETTERS for text, score in lines
    )


def _loaded() -> RapidOCR:
    """The engine with all models loaded: each is loaded on first use."""
    engine = RapidOCR(params=_PARAMETERS)
    blank = np.full((64, 256, 3), 255, np.uint8)
    engine(blank, use_det=True, use_cls=False, use_rec=False)
    engine(blank, use_det=False, use_cls=False, use_rec=True)
    return engine


def serve(engine: RapidOCR, requests: BinaryIO, reports: BinaryIO, cpu_seconds: int) -> None:
    """Sends the first frame, then serves requests until the pool closes the pipe."""
    write_frame(reports, READY, [])
    while (frame := read_frame(requests)) is not None:
        grant_cpu_seconds(cpu_seconds)
        write_frame(reports, json.dumps({"has_text": has_text(engine, frame[1])}).encode(), [])


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    die_with_parent(parent_pid)
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keeps the engine's output out of frames
    engine = _loaded()
    # Standard input, output and error, and the duplicate for reports.
    confine(memory_bytes, open_files=4)
    serve(engine, sys.stdin.buffer, reports, cpu_seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
