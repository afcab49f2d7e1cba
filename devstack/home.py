"""The data directory of a stack: data, logs, secrets and state.

postgres/ s3/ minio/ temporal/ paypal/ storefront/
                                   data of the servers
logs/                              one file a process, and that of the previous run
secrets/                           passwords, keys and tokens, readable by their owner only
jwks.json ports.json stack.json    public keys, chosen ports, state of the running stack
"""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parent.parent
SITE_PACKAGES_BIN = Path(sys.prefix) / "bin"


def default_home() -> Path:
    """LIAISON_HOME, or `.liaison/` in the checkout, or in the working directory without a
    checkout."""
    if configured := os.environ.get("LIAISON_HOME"):
        return Path(configured).resolve()
    is_checkout = (SOURCE_ROOT / "pyproject.toml").exists()
    return (SOURCE_ROOT if is_checkout else Path.cwd()) / ".liaison"


def write_private(path: Path, text: str) -> None:
    """Replaces a file atomically, readable by its owner only."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


@dataclass(frozen=True)
class Home:
    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def jwks_file(self) -> Path:
        return self.path / "jwks.json"

    @property
    def state_file(self) -> Path:
        return self.path / "stack.json"

    def prepare(self) -> None:
        for directory in (self.path, self.logs, self.secrets):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def data(self, name: str) -> Path:
        """The data directory of one server."""
        directory = self.path / name
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def rotate_log(self, name: str) -> None:
        """Starts an empty log, and keeps that of the previous run."""
        current = self.log_file(name)
        if current.exists():
            current.replace(current.with_suffix(".log.1"))

    def secret(self, name: str) -> str:
        """The secret of that name, generated on first use."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, secrets.token_hex(20))
        return path.read_text(encoding="utf-8")
