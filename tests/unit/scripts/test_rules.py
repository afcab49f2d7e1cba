"""`make rules` on small example projects: each inconsistency is reported and fails the run."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.rules.places import locate
from scripts.rules.rule_list import RULE_IDS, read_rule_list

HEADER = "| id | kind | rule | enforced at | part |\n|---|---|---|---|---|\n"
PARTS = """
| part | covers | state |
|---|---|---|
| `work` | what is built | built |
| `money` | what is not | later |
"""
PROOF = """
import pytest

@pytest.mark.rule("R7")
def test_seven():
    raise AssertionError("collected, and never run")
"""
PARTLY_SKIPPED = """
import pytest

@pytest.mark.rule("R7")
@pytest.mark.parametrize("seats", [1, pytest.param(2, marks=pytest.mark.skip)])
def test_seats(seats):
    pass
"""


@dataclass
class Project:
    """A project where R7 is hard, belongs to a built part, and is enforced by a function."""

    root: Path
    rows: dict[str, str] = field(
        default_factory=lambda: {id_: f"| {id_} | info | Says {id_}. | — | — |" for id_ in RULE_IDS}
    )

    def __post_init__(self) -> None:
        self.hard()
        self.write("pyproject.toml", "[tool.pytest.ini_options]\nmarkers = ['rule', 'slow']\n")
        self.write("rooms/kitchen.py", "SEATS = 4\n\n\ndef cook():\n    pass\n")
        self.write("tests/integration/test_seven.py", PROOF)

    def hard(
        self, rule_id: str = "R7", place: str = "`rooms.kitchen.cook`", part: str = "work"
    ) -> None:
        self.rows[rule_id] = f"| {rule_id} | hard | Says {rule_id}. | {place} | {part} |"

    @property
    def text(self) -> str:
        return f"# Rules\n{PARTS}\n## All\n\n{HEADER}" + "\n".join(self.rows.values())

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def run(self, *rule_ids: str) -> tuple[int, str]:
        self.write("docs/rules.md", self.text)
        done = subprocess.run(  # noqa: S603 - our own arguments only
            [sys.executable, "-m", "scripts.rules", *rule_ids],
            cwd=self.root,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def line(self, rule_id: str) -> str:
        code, output = self.run()
        assert code == 0, output
        return next(line for line in output.splitlines() if line.startswith(f"{rule_id} "))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def marked(name: str, rule: str = '"R7"', decorator: str = "") -> str:
    """A file with one test."""
    return (
        f"import pytest\n\n{decorator}\n@pytest.mark.rule({rule})\ndef test_{name}():\n    pass\n"
    )


def test_a_list_with_all_proofs_passes(project: Project) -> None:
    code, output = project.run()
    assert code == 0
    assert len([line for line in output.splitlines() if line.startswith("R")]) == 101
    assert "rooms.kitchen.cook  integration/test_seven.py::test_seven\n" in output
    assert "1 of 1 hard rules of the built parts (work) are proved" in output
    assert max(map(len, output.splitlines())) <= 160


def test_a_hard_rule_of_a_built_part_needs_a_proof(project: Project) -> None:
    (project.root / "tests/integration/test_seven.py").unlink()
    code, output = project.run()
    assert code == 1
    assert "MISSING: work" in output
    assert "R7 is not proved by work: Says R7." in output
    assert "0 of 1 hard rules of the built parts (work) are proved" in output


def test_a_rule_of_a_later_part_needs_no_proof_yet(project: Project) -> None:
    project.hard("R9", place="—", part="money")
    assert project.line("R9").endswith("later: money")


def test_each_built_part_proves_its_share(project: Project) -> None:
    project.hard(part="money, work")
    code, output = project.run()  # without a part it stands for the first one
    assert (code, "R7 is not proved by work" in output) == (1, True)
    project.write("tests/e2e/test_share.py", marked("share", '"R7", part="work"'))
    assert " +1" in project.line("R7")


@pytest.mark.parametrize(
    ("path", "decorator", "weakness"),
    [
        ("tests/unit/test_weak.py", "", "not through the public API"),
        ("tests/workflows/test_weak.py", "", "not through the public API"),
        ("tests/e2e/test_weak.py", "@pytest.mark.skip('later')", "skipped"),
        ("tests/e2e/test_weak.py", "@pytest.mark.skipif(True, reason='here')", "skipped"),
        ("tests/e2e/test_weak.py", "@pytest.mark.xfail", "expected to fail"),
    ],
)
def test_a_marked_test_that_is_not_a_proof_is_reported(
    project: Project, path: str, decorator: str, weakness: str
) -> None:
    project.hard("R9")
    project.write(path, marked("weak", '"R9"', decorator))
    code, output = project.run()
    assert code == 1
    assert f"R9    {path.removeprefix('tests/')}::test_weak ({weakness})" in output
    assert "R9 is not proved by work" in output


def test_a_test_deselected_by_default_is_not_a_proof(project: Project) -> None:
    project.write(
        "pyproject.toml",
        "[tool.pytest.ini_options]\nmarkers = ['rule', 'slow']\naddopts = '-m \"not slow\"'\n",
    )
    project.write("tests/integration/test_seven.py", marked("slow", decorator="@pytest.mark.slow"))
    code, output = project.run()
    assert (code, "R7 is not proved by work" in output) == (1, True)


def test_a_test_that_runs_with_some_parameters_is_a_proof(project: Project) -> None:
    project.write("tests/integration/test_seven.py", PARTLY_SKIPPED)
    code, output = project.run()
    assert code == 0, output
    assert "Marked with a rule, but no proof" not in output


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('"R101"', "names 'R101', which is not a rule"),
        ("7", "names '7', which is not a rule"),
        ('"R7", part="money"', "names R7 of 'money', which is not one of its parts"),
        ('"R7", parts="work"', "a rule marker takes ids, and optionally `part`"),
        ("", "a rule marker takes ids, and optionally `part`"),
    ],
)
def test_a_marker_must_match_the_list(project: Project, rule: str, problem: str) -> None:
    project.write("tests/unit/test_marker.py", marked("marker", rule))
    code, output = project.run()
    assert code == 1
    assert problem in output


def test_tests_that_cannot_be_collected_are_reported(project: Project) -> None:
    project.write("tests/unit/test_broken.py", "import nothing_of_that_name\n")
    code, output = project.run()
    assert code == 1
    assert "tests/unit/test_broken.py cannot be collected: ModuleNotFoundError" in output
    assert "integration/test_seven.py::test_seven" in output


def test_a_place_that_does_not_exist_fails(project: Project) -> None:
    project.hard(place="`rooms.kitchen.bake`")
    code, output = project.run()
    assert code == 1
    assert "R7 is not enforced at rooms.kitchen.bake: rooms.kitchen has no bake" in output


def test_the_details_of_one_rule_are_printed(project: Project) -> None:
    assert project.run("R7") == (
        0,
        "R7 (hard, work): Says R7.\n"
        "  enforced at  rooms/kitchen.py:4  rooms.kitchen.cook\n"
        "  proved by    tests/integration/test_seven.py::test_seven  (work)\n",
    )
    assert project.run("R7", "R101") == (1, "docs/rules.md has no R101\n")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("", "R8 is missing in docs/rules.md"),
        ("| R7 | info | Again. | — | — |", "R7 is listed 2 times in docs/rules.md"),
        ("| R101 | info | More. | — | — |", "R101 in docs/rules.md is beyond R100, the last rule"),
        ("| R8 | strict | Says R8. | — | — |", "R8: unknown kind 'strict'"),
        ("| R8 | soft | Says R8. | — | fun |", "R8: docs/rules.md does not list the part 'fun'"),
        ("| R8 | hard | Says R8. | — | — |", "R8 is hard and names no part"),
        ("| R8 | hard | Says R8. | — | work |", "R8 is hard and names no place where"),
        ("| R8 | hard | Says R8. | work |", "docs/rules.md: not a rule's row: | R8 | hard"),
    ],
)
def test_the_list_itself_is_validated(project: Project, row: str, problem: str) -> None:
    project.rows["R8"] = row or "\n"
    problems = read_rule_list(project.text).problems
    assert any(found.startswith(problem) for found in problems), problems


def test_rules_are_sorted_by_number(project: Project) -> None:
    project.rows = dict(reversed(project.rows.items()))
    rule_list = read_rule_list(project.text)
    assert [rule.id for rule in rule_list.rules] == RULE_IDS
    assert rule_list.parts == {"work": True, "money": False}
    assert not rule_list.problems


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("rooms.kitchen.cook", "rooms/kitchen.py:4"),
        ("rooms.kitchen.SEATS", "rooms/kitchen.py:1"),
        ("rooms/water.sql:flows", "rooms/water.sql:2"),
        ("rooms/water.sql:flow", "the file does not mention flow"),
        ("rooms/fire.sql:burns", "there is no such file"),
        ("rooms.kitchen.cook.well", "rooms.kitchen has no cook.well"),
        ("halls.kitchen.cook", "there is no such module"),
        ("rooms.ruin.cook", "rooms.ruin cannot be imported: SyntaxError"),
        ("rooms.door.cook", "rooms.door cannot be imported: No module named 'no_such_key'"),
        ("json.loads", "json is no module of this project"),
    ],
)
def test_places_are_resolved_or_the_reason_is_given(
    project: Project, monkeypatch: pytest.MonkeyPatch, place: str, found: str
) -> None:
    monkeypatch.syspath_prepend(str(project.root))
    for name in ("rooms", "rooms.kitchen", "rooms.ruin", "rooms.door"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    project.write("rooms/ruin.py", "def cook(:\n")
    project.write("rooms/door.py", "import no_such_key\n")
    project.write("rooms/water.sql", "CREATE TABLE water ();\nCREATE TRIGGER flows;\n")
    try:
        where = locate(place, project.root)
    except LookupError as error:
        where = str(error.args[0])
    assert where.startswith(found)
