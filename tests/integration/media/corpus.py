"""A corpus of real images with verdicts from independent decoders; not part of this repository.

`LIAISON_CORPUS` is its folder. For each image its manifest has the expected verdict, others that
are acceptable (another order of checks), and bytes that must not survive.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
_MANIFEST = (
    Path(os.environ.get("LIAISON_CORPUS", _ROOT.parent / "shared" / "corpus"))
    / "images"
    / "manifest.json"
)
# Why the corpus tests are skipped; empty if they run.
CORPUS_MISSING = (
    "" if _MANIFEST.exists() else "no image corpus: set LIAISON_CORPUS to the folder that has it"
)
_CODES = {
    "reject:too_small_dimensions": "TOO_SMALL",
    "reject:unsupported_type": "UNSUPPORTED_TYPE",
    "reject:bomb": "BOMB",
    "reject:corrupt": "CORRUPT",
    "reject:too_large_bytes": "TOO_LARGE_BYTES",
}


@dataclass(frozen=True)
class CorpusFile:
    """`expected` are the correct first codes; an empty one means acceptance."""

    path: Path
    sha256: str
    expected: frozenset[str]
    display_size: list[int] | None
    # Must not be in any accepted copy.
    payload: bytes


def corpus_files() -> list[CorpusFile]:
    entries: list[dict[str, Any]] = json.loads(_MANIFEST.read_text())["files"]
    return [
        CorpusFile(
            _MANIFEST.parent / entry["file"],
            entry["sha256"],
            frozenset(
                _CODES.get(verdict, "")
                for verdict in (entry["expected"], *entry["also_acceptable"])
            ),
            entry["display_dimensions"],
            bytes.fromhex(entry.get("payload_hex", "")),
        )
        for entry in entries
    ]


def is_as_expected(file: CorpusFile, codes: Sequence[str]) -> bool:
    """By the first reason: the manifest has the same order of precedence."""
    return (codes[0] if codes else "") in file.expected
