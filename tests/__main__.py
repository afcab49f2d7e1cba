"""Runs the tests with one set of servers for all workers, and exits without interpreter shutdown.

`python -m tests [pytest's arguments]`; all tests when none are given.
"""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from servicekit.process import exit_immediately
from tests.conftest import TEST_HOME
from tests.support.servers import servers


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="liaison-tests-") as folder:
        home = Path(folder)
        with servers(home, ("postgres", "s3")):
            os.environ[TEST_HOME] = str(home)
            return int(pytest.main(["-n", "2", "--dist", "loadgroup", *arguments]))


if __name__ == "__main__":
    exit_immediately(main(sys.argv[1:]))
