"""Images from the wild with the verdicts that independent decoders gave them, kept elsewhere.

`LIAISON_CORPUS` names the folder that has them. Their manifest tells, for each, the verdict, others
that another order of checks gives, and bytes that must not survive.
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
# Why its tests are skipped; empty when they are not.
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
    """`expected` are the codes that are right; an empty one is acceptance."""

    path: Path
    sha256: str
    expected: frozenset[str]
    display_size: list[int] | None
    # What must not be found in any copy that is kept.
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
    """The first reason decides, in the manifest's order of precedence, which is ours."""
    return (codes[0] if codes else "") in file.expected
