"""The data directory of one stack: where its data, logs, secrets and state lie. No process here.

postgres/ s3/ minio/ temporal/ paypal/ storefront/
                                   what the servers keep between runs
logs/                              one file a process, and the one of the run before
secrets/                           passwords, keys and tokens, for their owner alone
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
    """LIAISON_HOME, or `.liaison/` in the checkout (in the working directory without one)."""
    if configured := os.environ.get("LIAISON_HOME"):
        return Path(configured).resolve()
    is_checkout = (SOURCE_ROOT / "pyproject.toml").exists()
    return (SOURCE_ROOT if is_checkout else Path.cwd()) / ".liaison"


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, so that nobody reads half of it; for its owner alone."""
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
        """The directory one server keeps its data in."""
        directory = self.path / name
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def rotate_log(self, name: str) -> None:
        """Begin an empty log; the one of the run before stays beside it."""
        current = self.log_file(name)
        if current.exists():
            current.replace(current.with_suffix(".log.1"))

    def secret(self, name: str) -> str:
        """The secret of that name, made on first use."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, secrets.token_hex(20))
        return path.read_text(encoding="utf-8")
