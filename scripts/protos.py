"""Generates gen/ from proto/, compares the two, and lints proto/ with buf.

Imported protos (google.api, google.type, google.protobuf) come from the wheels grpcio-tools and
googleapis-common-protos, so no third-party proto is copied in. buf reads a descriptor set
written by protoc, because buf itself would download the imports.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
GEN = ROOT / "gen"


def protoc(*arguments: str) -> None:
    """Runs protoc on all files of proto/.

    Raises:
        CalledProcessError: protoc failed; it has printed why.
    """
    scripts = sysconfig.get_path("scripts")
    subprocess.run(  # noqa: S603 - our own arguments only
        [
            sys.executable,
            *("-m", "grpc_tools.protoc"),
            f"--proto_path={PROTO}",
            f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
            f"--proto_path={sysconfig.get_path('purelib')}",
            *arguments,
            *(str(path) for path in sorted(PROTO.rglob("*.proto"))),
        ],
        check=True,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"},
    )


def generate_into(target: Path) -> None:
    """Writes messages, services and type stubs, and an `__init__.py` in each package."""
    target.mkdir(parents=True, exist_ok=True)
    protoc(
        *(f"--{plugin}_out={target}" for plugin in ("python", "grpc_python")),
        *(f"--{plugin}_out=quiet:{target}" for plugin in ("mypy", "mypy_grpc")),
    )
    for folder in {target / "liaison", *(p for p in (target / "liaison").rglob("*") if p.is_dir())}:
        (folder / "__init__.py").touch()


def generate() -> int:
    shutil.rmtree(GEN, ignore_errors=True)
    generate_into(GEN)
    return 0


def check() -> int:
    """Returns 0 if gen/ matches proto/; else prints the differing files and returns 1."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate_into(fresh)
        expected = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
        found = {
            path.relative_to(GEN)
            for path in GEN.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        stale = {
            path
            for path in expected & found
            if not filecmp.cmp(fresh / path, GEN / path, shallow=False)
        }
    wrong = sorted((expected ^ found) | stale)
    for path in wrong:
        sys.stderr.write(f"gen/{path} does not match proto/; run `make generate`\n")
    return 1 if wrong else 0


def lint() -> int:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        buf = Path(sysconfig.get_path("scripts")) / "buf"
        return subprocess.run(  # noqa: S603 - our own arguments only
            [buf, "lint", image, "--path", "liaison"], cwd=ROOT, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit({"generate": generate, "check": check, "lint": lint}[sys.argv[1]]())
