"""`python -m scripts.rules` prints one line per rule; `python -m scripts.rules R28 …` all details.

Exits 1 if a hard rule of a built part has no proof, or if the list, the places it names and the
tests' markers are inconsistent.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.rules.places import place_problems
from scripts.rules.proofs import assign, collect, unproved
from scripts.rules.report import cut, details, summary, supporting, table
from scripts.rules.rule_list import LIST, read_rule_list
from servicekit.process import exit_immediately


def main(wanted: Sequence[str], root: Path) -> int:
    if not (root / LIST).is_file():
        sys.stderr.write(f"{root} has no {LIST}\n")
        return 1
    rule_list = read_rule_list((root / LIST).read_text(encoding="utf-8"))
    if unknown := set(wanted) - {rule.id for rule in rule_list.rules}:
        sys.stderr.write(f"{LIST} has no {', '.join(sorted(unknown))}\n")
        return 1
    marked, uncollected = collect(root)
    proofs, misnamed = assign(marked, rule_list)
    if wanted:
        chosen = [rule for rule in rule_list.rules if rule.id in wanted]
        _print(line for rule in chosen for line in details(rule, proofs[rule.id], rule_list, root))
        return 0
    problems = [
        *rule_list.problems,
        *place_problems(rule_list.rules, root),
        *uncollected,
        *misnamed,
        *(
            f"{rule.id} is not proved by {part}: {rule.text}"
            for rule in rule_list.rules
            for part in unproved(rule, proofs[rule.id], rule_list)
        ),
    ]
    _print([*table(rule_list, proofs), ""])
    if weak := list(supporting(proofs)):
        _print(["Marked with a rule, but no proof:", *weak, ""])
    if problems:
        _print(["Problems:", *(cut(f"  {problem}") for problem in problems), ""])
    _print([summary(rule_list, proofs, len(problems))])
    _print(["Details of one rule: .venv/bin/python -m scripts.rules R28"])
    return 1 if problems else 0


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    exit_immediately(main(sys.argv[1:], Path.cwd()))
