"""Collects the tests that are marked with a rule, and assigns them to the rules."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.rules.rule_list import Rule, RuleList

# Folders whose tests go through the public API.
PROOF_FOLDERS = ("tests/integration/", "tests/e2e/", "tests/time_skipping/", "tests/chaos/")


@dataclass(frozen=True)
class Marked:
    """A test that is marked with a rule, or with one part's share of it.

    `weakness` says why it is not a proof; empty if it is.
    """

    test: str
    rule_id: str
    part: str = ""
    weakness: str = ""


@dataclass
class Proofs:
    """A rule's tests: `proving` by part, and those that are not proofs."""

    proving: dict[str, list[str]] = field(default_factory=dict)
    supporting: list[Marked] = field(default_factory=list)

    def of(self, part: str) -> list[str]:
        return self.proving.get(part, [])


class Collector:
    """A pytest plugin that records the collected tests, without deselected ones."""

    def __init__(self) -> None:
        self.marked: list[Marked] = []
        self.problems: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            why = (report.longreprtext.strip().splitlines() or ["no reason given"])[-1]
            why = why.removeprefix("E ").strip()
            self.problems.append(f"{report.nodeid} cannot be collected: {why}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            test = item.nodeid.partition("[")[0]
            weakness = _weakness(item, test)
            for marker in item.iter_markers("rule"):
                if not marker.args or set(marker.kwargs) - {"part"}:
                    self.problems.append(f"{test}: a rule marker takes ids, and optionally `part`")
                part = str(marker.kwargs.get("part", ""))
                self.marked += [Marked(test, str(id_), part, weakness) for id_ in marker.args]


def _weakness(item: pytest.Item, test: str) -> str:
    """Why the test is not a proof; empty if it is."""
    for marker in item.iter_markers():
        conditions = [*marker.args, *(v for k, v in marker.kwargs.items() if k == "condition")]
        if marker.name == "skip" or (marker.name == "skipif" and any(conditions)):
            return "skipped"
        if marker.name == "xfail" and (any(conditions) or not conditions):
            return "expected to fail"
    return "" if test.startswith(PROOF_FOLDERS) else "not through the public API"


def collect(root: Path) -> tuple[list[Marked], list[str]]:
    """Returns the marked tests and problems. Collects all tests in this process; runs none."""
    collector = Collector()
    arguments = ["--collect-only", "--continue-on-collection-errors", "--capture=no"]
    arguments += ["-p", "no:cacheprovider", f"--rootdir={root}", str(root / "tests")]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main(arguments, plugins=[collector])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        why = " ".join(output.getvalue().split()[-40:])
        collector.problems.append(f"pytest cannot collect the tests: {why}")
    return collector.marked, collector.problems


def assign(marked: Sequence[Marked], rule_list: RuleList) -> tuple[dict[str, Proofs], list[str]]:
    """Assigns tests to rules. A marker without `part` counts for the rule's first part."""
    rules = {rule.id: rule for rule in rule_list.rules}
    proofs = {rule_id: Proofs() for rule_id in rules}
    problems = []
    for one in dict.fromkeys(marked):
        rule = rules.get(one.rule_id)
        if rule is None:
            problems.append(f"{one.test} names {one.rule_id!r}, which is not a rule")
        elif one.part and one.part not in rule.parts:
            problems.append(
                f"{one.test} names {rule.id} of {one.part!r}, which is not one of its parts"
            )
        elif one.weakness:
            proofs[rule.id].supporting.append(one)
        else:
            part = one.part or next(iter(rule.parts), "")
            proofs[rule.id].proving.setdefault(part, []).append(one.test)
    for found in proofs.values():  # some parameters of a test may be skipped while others run
        tests = {test for tests in found.proving.values() for test in tests}
        found.supporting = [one for one in found.supporting if one.test not in tests]
    return proofs, problems


def unproved(rule: Rule, proofs: Proofs, rule_list: RuleList) -> list[str]:
    """The built parts that have no proof of their share of a hard rule."""
    if rule.kind != "hard":
        return []
    return [part for part in rule.parts if rule_list.parts.get(part) and not proofs.of(part)]
