"""Formats the output: one line per rule, or all details of one."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scripts.rules.places import locate
from scripts.rules.proofs import Proofs, unproved
from scripts.rules.rule_list import NONE, Rule, RuleList

_LINE_WIDTH = 160
_PLACE_WIDTH = 40


def table(rule_list: RuleList, proofs: dict[str, Proofs]) -> Iterator[str]:
    """One line per rule, at most _LINE_WIDTH characters."""
    rows = [
        ["Rule", "Kind", "Part", "Enforced at", "Proved by"],
        *(
            [rule.id, rule.kind, ", ".join(rule.parts) or NONE, _place(rule.places), ""]
            for rule in rule_list.rules
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    left = _LINE_WIDTH - sum(widths) - 2 * len(widths)
    for row, rule in zip(rows[1:], rule_list.rules, strict=True):
        row[-1] = _proof(rule, proofs[rule.id], rule_list, left)
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _place(places: tuple[str, ...]) -> str:
    """The first place, without leading names if it is long, and the number of others."""
    if not places:
        return NONE
    more = f" +{len(places) - 1}" if len(places) > 1 else ""
    place = places[0].rpartition("/")[2]
    names = place.split(".")
    while len(place) > _PLACE_WIDTH - len(more) and len(names) > 1:
        names.pop(0)
        place = f"….{'.'.join(names)}"
    return place + more


def _proof(rule: Rule, proofs: Proofs, rule_list: RuleList, width: int) -> str:
    """The first test, the number of others, and the parts whose proof is missing or due later."""
    notes = [f"MISSING: {part}" for part in unproved(rule, proofs, rule_list)]
    if later := _later(rule, proofs, rule_list):
        notes.append(f"later: {', '.join(later)}")
    tests = [test for part in rule.parts or [""] for test in proofs.of(part)]
    if not tests:
        return "; ".join(notes) or NONE
    end = "; ".join([f" +{len(tests) - 1}" if tests[1:] else "", *notes])
    return cut(tests[0].removeprefix("tests/"), width - len(end)) + end


def _later(rule: Rule, proofs: Proofs, rule_list: RuleList) -> list[str]:
    """The parts that are not built yet and have no proof of their share of a hard rule."""
    if rule.kind != "hard":
        return []
    return [part for part in rule.parts if not rule_list.parts.get(part) and not proofs.of(part)]


def cut(text: str, width: int = _LINE_WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def supporting(proofs: dict[str, Proofs]) -> Iterator[str]:
    for rule_id, found in proofs.items():
        for one in found.supporting:
            yield f"  {rule_id:<4}  {one.test.removeprefix('tests/')} ({one.weakness})"


def summary(rule_list: RuleList, proofs: dict[str, Proofs], problem_count: int) -> str:
    """How many hard rules are proved, and how many belong to parts that are not built yet."""
    hard = [rule for rule in rule_list.rules if rule.kind == "hard"]
    due = [rule for rule in hard if any(map(rule_list.parts.get, rule.parts))]
    proved = [rule for rule in due if not unproved(rule, proofs[rule.id], rule_list)]
    later = Counter(
        part for rule in hard for part in rule.parts if not rule_list.parts.get(part)
    ).most_common()
    built = ", ".join(part for part, is_built in rule_list.parts.items() if is_built) or "none"
    waiting = ", ".join(f"{part} {count}" for part, count in later) or "nothing"
    problems = f"{problem_count} problem{'' if problem_count == 1 else 's'}"
    return (
        f"{len(proved)} of {len(due)} hard rules of the built parts ({built}) are proved;"
        f" later: {waiting}; {problems if problem_count else 'no problems'}."
    )


def details(rule: Rule, proofs: Proofs, rule_list: RuleList, root: Path) -> Iterator[str]:
    """All details of one rule: its text, places and tests."""
    yield f"{rule.id} ({rule.kind}, {', '.join(rule.parts) or 'no part'}): {rule.text}"
    for place in rule.places:
        with contextlib.suppress(LookupError):
            yield f"  enforced at  {locate(place, root)}  {place}"
    for part in rule.parts or [""]:
        suffix = f"  ({part})" if part else ""
        yield from (f"  proved by    {test}{suffix}" for test in proofs.of(part))
    yield from (f"  MISSING      a proof by {part}" for part in unproved(rule, proofs, rule_list))
    yield from (f"  later        a proof by {part}" for part in _later(rule, proofs, rule_list))
    yield from (f"  supported by {one.test}  ({one.weakness})" for one in proofs.supporting)
