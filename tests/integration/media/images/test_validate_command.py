"""`liaison media validate` as a process: no server, no environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

import cli.media
from devstack.home import SOURCE_ROOT
from services.media.images.rules import BANNER_MAXIMUM_BYTES, IMAGE_MAXIMUM_BYTES
from tests.integration.media.corpus import CORPUS_MISSING, corpus_files, is_as_expected
from tests.unit.media.pictures import jpeg, picture, png

_ADDRESS_SPACE_BYTES = 4 * 1024**3
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join((str(SOURCE_ROOT), str(SOURCE_ROOT / "gen")))}


def argv(purpose: str, *files: Path | str) -> list[str | Path]:
    return [sys.executable, "-m", "cli", "media", "validate", "--purpose", purpose, *files]


def running(purpose: str, *files: str, **streams: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command
        argv(purpose, *files),
        env=ENVIRONMENT,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


def validated(
    purpose: str, *files: Path | str, folder: Path = SOURCE_ROOT
) -> subprocess.CompletedProcess[str]:
    # Enough for any image, too little to read a huge file as a whole. The shell sets the limit: no
    # code may run between fork and exec in a process with gRPC's threads.
    limited = ("/bin/sh", "-c", f'ulimit -v {_ADDRESS_SPACE_BYTES // 1024} && exec "$@"', "sh")
    return subprocess.run(  # noqa: S603 - our own command
        [*limited, *argv(purpose, *files)],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def lines(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str, bytes], str]:
    def make(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return make


Made = Callable[[str, bytes], str]


def test_accepted_files_exit_with_0(made: Made) -> None:
    files = [made("a.jpg", jpeg(800, 1200, orientation=6)), made("b.txt", png(900, 500))]
    run = validated("banner", *files)
    assert (run.returncode, run.stderr) == (0, "")
    assert lines(run) == [
        {
            "file": files[0],
            "verdict": "ACCEPTED",
            "reasons": [],
            "format": "JPEG",
            "width": 1200,
            "height": 800,
        },
        {
            "file": files[1],
            "verdict": "ACCEPTED",
            "reasons": [],
            "format": "PNG",
            "width": 900,
            "height": 500,
        },
    ]


def test_rejected_files_are_printed_with_every_reason_and_exit_with_1(made: Made) -> None:
    files = [
        made("cut.jpg", jpeg(400, 300)[:-200]),
        made("page.png", b"<html>not a picture</html>"),
        made("empty.jpg", b""),
        made("long.png", picture(5000, 400).pngsave_buffer()),
        made("good.png", png()),
    ]
    run = validated("image", *files)
    assert (run.returncode, run.stderr) == (1, "")
    output = lines(run)
    assert [line["reasons"] for line in output] == [
        ["TOO_SMALL", "CORRUPT"],
        ["UNSUPPORTED_TYPE"],
        ["UNSUPPORTED_TYPE"],
        ["TOO_SMALL"],
        [],
    ]
    assert [line["verdict"] for line in output] == 4 * ["REJECTED"] + ["ACCEPTED"]
    assert [line["format"] for line in output] == ["JPEG", None, None, "PNG", "PNG"]
    assert (output[1]["width"], output[1]["height"]) == (None, None)
    # A banner is not scaled down, so a long one stays large enough.
    assert lines(validated("banner", files[3]))[0]["verdict"] == "ACCEPTED"


@pytest.mark.parametrize(
    ("purpose", "limit"), [("banner", BANNER_MAXIMUM_BYTES), ("image", IMAGE_MAXIMUM_BYTES)]
)
def test_a_file_may_have_exactly_the_maximum_bytes_of_its_purpose(
    made: Made, purpose: str, limit: int
) -> None:
    content = jpeg(900, 500)
    files = [
        made("limit.jpg", content + bytes(limit - len(content))),
        made("above.jpg", content + bytes(limit + 1 - len(content))),
        made("small.jpg", jpeg(400, 300) + bytes(limit)),
    ]
    output = lines(validated(purpose, *files))
    assert [line["reasons"] for line in output] == [
        [],
        ["TOO_LARGE_BYTES"],
        ["TOO_LARGE_BYTES", "TOO_SMALL"],
    ]
    assert (output[1]["format"], output[1]["width"], output[1]["height"]) == ("JPEG", 900, 500)


def test_a_huge_file_is_not_read_as_a_whole(made: Made) -> None:
    huge = made("huge.png", png(900, 500))
    os.truncate(huge, 20 * 1024**3)  # sparse
    run = validated("image", huge)
    assert run.returncode == 1, run.stderr
    (line,) = lines(run)
    assert (line["reasons"], line["width"]) == (["TOO_LARGE_BYTES"], 900)


def test_an_unreadable_file_is_reported_and_the_others_validated(
    made: Made, tmp_path: Path
) -> None:
    good = made("good.png", png())
    run = validated("banner", tmp_path, tmp_path / "absent.jpg", good, made("bad.png", b"?"))
    assert run.returncode == 2
    assert [line["verdict"] for line in lines(run)] == ["ACCEPTED", "REJECTED"]
    assert run.stderr.splitlines() == [
        f"{tmp_path}: Is a directory",
        f"{tmp_path / 'absent.jpg'}: No such file or directory",
    ]


def test_file_names_are_printed_as_given(made: Made, tmp_path: Path) -> None:
    names = ["-.jpg", "ümläut näme.jpg", "a\nb.jpg", "../" + tmp_path.name + "/x.jpg"]
    for name in names:
        made(name, jpeg())
    run = validated("banner", "--", *names, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [line["file"] for line in lines(run)] == names


def test_a_file_name_that_is_not_utf_8_is_escaped(made: Made, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    made(name, jpeg())
    (line,) = lines(validated("Banner", name, folder=tmp_path))
    assert (line["file"], line["verdict"]) == (r"caf\xe9.jpg", "ACCEPTED")


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    run = validated("banner", "pipe", "/dev/zero", "", folder=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines() == [
        "pipe: not a regular file; use /dev/stdin",
        "/dev/zero: not a regular file; use /dev/stdin",
        "'': No such file or directory",
    ]


def test_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    with running("image", "/dev/stdin", stdin=subprocess.PIPE) as process:
        output, errors = process.communicate(jpeg(2400, 1200))
    assert (process.returncode, errors) == (0, b"")
    assert (json.loads(output)["file"], json.loads(output)["width"]) == ("/dev/stdin", 2400)


def test_ctrl_c_ends_the_command_while_it_reads_standard_input(made: Made) -> None:
    first = made("first.jpg", jpeg())
    with running("image", first, "/dev/stdin", stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == -signal.SIGINT
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_full_disk_is_reported_in_one_line(made: Made) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        running("image", made("a.jpg", jpeg()), stdout=full) as process,
    ):
        _, errors = process.communicate()
    assert process.returncode == 3
    assert errors == b"standard output: No space left on device\n"


def test_a_closed_pipe_ends_the_command_silently(made: Made) -> None:
    with running("image", *[made("a.jpg", jpeg())] * 3) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (process.wait(), process.stderr.read()) == (3, b"")


def test_a_decoder_that_does_not_start_is_reported_in_one_line(
    made: Made, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert cli.media.validate_files("image", [made("a.jpg", jpeg())]) == 3
    finally:
        signal.signal(signal.SIGINT, handler)
    assert capfd.readouterr() == ("", "services.media.images.decoder does not start\n")


@pytest.mark.parametrize("arguments", [("banner",), ("poster", "x.jpg"), ()])
def test_wrong_arguments_print_the_usage(arguments: tuple[str, ...]) -> None:
    run = validated(*arguments) if arguments else validated("")
    assert run.returncode == 2
    assert run.stdout == ""
    assert "Usage" in run.stderr


@pytest.mark.skipif(bool(CORPUS_MISSING), reason=CORPUS_MISSING)
@pytest.mark.parametrize("purpose", ["banner", "image"])
def test_every_corpus_file_gets_the_expected_verdict(purpose: str) -> None:
    files = corpus_files()
    run = validated(purpose, *(file.path for file in files))
    assert (run.returncode, run.stderr) == (1, "")
    for file, line in zip(files, lines(run), strict=True):
        assert line["file"] == str(file.path)
        assert is_as_expected(file, line["reasons"]), (line, file.expected)
        if file.display_size and line["width"]:
            assert [line["width"], line["height"]] == file.display_size
