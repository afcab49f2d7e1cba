"""Workflow modules stay light: each workflow's sandbox and every service that starts one load them.

Measured: a workflow module with heavy imports cost 119 ms of CPU and 231 MB per workflow, a clean
one 19 ms.
"""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_MODULES = sorted(
    ".".join(file.relative_to(_ROOT).with_suffix("").parts)
    for file in _ROOT.glob("workflows/*/workflow.py")
)
# The SDK imports grpc itself where it is installed.
_HEAVY = ("aiohttp", "httpx", "liaison", "minio", "psycopg", "services")


@pytest.mark.parametrize("module", _MODULES)
def test_a_workflow_module_imports_no_client_library(module: str) -> None:
    program = f"import sys, {module}; print(*{{one.partition('.')[0] for one in sys.modules}})"
    answer = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert set(answer.stdout.split()) & set(_HEAVY) == set()
