"""Parses and validates the list of rules in docs/rules.md."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

LIST = "docs/rules.md"
RULE_IDS = [f"R{number}" for number in range(1, 101)]
KINDS = ("hard", "judged", "promise", "soft", "open", "info")
# Marks an empty cell.
NONE = "—"

_RULE_HEADER = ["id", "kind", "rule", "enforced at", "part"]
_PART_HEADER = ["part", "covers", "state"]


@dataclass(frozen=True)
class Rule:
    """One row of the list. If it names several parts, each must prove its share."""

    id: str
    kind: str
    text: str
    places: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass
class RuleList:
    """The parsed list; `parts` maps each part to whether it is built."""

    rules: list[Rule] = field(default_factory=list)
    parts: dict[str, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_rule_list(text: str) -> RuleList:
    rule_list = RuleList()
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not header:
            header = cells
        elif set("".join(cells)) <= set(":-"):
            continue
        elif header == _PART_HEADER and len(cells) == len(_PART_HEADER):
            rule_list.parts[cells[0].strip("`")] = cells[2] == "built"
        elif header == _RULE_HEADER:
            _read_rule(cells, rule_list)
    rule_list.rules.sort(key=lambda rule: int(rule.id[1:]))
    rule_list.problems += _number_problems(rule_list.rules)
    rule_list.problems += [
        problem for rule in rule_list.rules for problem in _rule_problems(rule, rule_list)
    ]
    return rule_list


def _read_rule(cells: list[str], rule_list: RuleList) -> None:
    if len(cells) != len(_RULE_HEADER) or not re.fullmatch(r"R\d+", cells[0]):
        rule_list.problems.append(f"{LIST}: not a rule's row: | {' | '.join(cells)} |")
        return
    rule_id, kind, text, places, parts = cells
    named = parts.replace("`", "").replace(NONE, "").split(",")
    rule_list.rules.append(
        Rule(
            id=rule_id,
            kind=kind,
            text=text,
            places=tuple(re.findall(r"`([^`]+)`", places)),
            parts=tuple(part.strip() for part in named if part.strip()),
        )
    )


def _number_problems(rules: list[Rule]) -> Iterator[str]:
    counts = Counter(rule.id for rule in rules)
    for rule_id in [*RULE_IDS, *(known for known in counts if known not in RULE_IDS)]:
        if counts[rule_id] == 0:
            yield f"{rule_id} is missing in {LIST}"
        elif counts[rule_id] > 1:
            yield f"{rule_id} is listed {counts[rule_id]} times in {LIST}"
        elif rule_id not in RULE_IDS:
            yield f"{rule_id} in {LIST} is beyond {RULE_IDS[-1]}, the last rule"


def _rule_problems(rule: Rule, rule_list: RuleList) -> Iterator[str]:
    if rule.kind not in KINDS:
        yield f"{rule.id}: unknown kind {rule.kind!r}; known: {', '.join(KINDS)}"
    for part in rule.parts:
        if part not in rule_list.parts:
            yield f"{rule.id}: {LIST} does not list the part {part!r}"
    if rule.kind == "hard" and not rule.parts:
        yield f"{rule.id} is hard and names no part"
    if rule.kind == "hard" and not rule.places and any(map(rule_list.parts.get, rule.parts)):
        yield f"{rule.id} is hard and names no place where it is enforced"
