"""`python -m scripts.rules` prints a line a rule; with ids, all about those rules.

Exits 1 when a hard rule of a built part has no proof, or when the list, the places that it names
and the tests' markers do not fit together.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.rules.book import LIST, read_book
from scripts.rules.places import place_problems
from scripts.rules.proofs import assign, collect, unproved
from scripts.rules.telling import cut, details, summary, supporting, table
from servicekit.process import exit_immediately


def main(wanted: Sequence[str], root: Path) -> int:
    if not (root / LIST).is_file():
        sys.stderr.write(f"{root} has no {LIST}\n")
        return 1
    book = read_book((root / LIST).read_text(encoding="utf-8"))
    if unknown := set(wanted) - {rule.id for rule in book.rules}:
        sys.stderr.write(f"{LIST} has no {', '.join(sorted(unknown))}\n")
        return 1
    marked, uncollected = collect(root)
    proofs, misnamed = assign(marked, book)
    if wanted:
        chosen = [rule for rule in book.rules if rule.id in wanted]
        _say(line for rule in chosen for line in details(rule, proofs[rule.id], book, root))
        return 0
    problems = [
        *book.problems,
        *place_problems(book.rules, root),
        *uncollected,
        *misnamed,
        *(
            f"{rule.id} is not proved by {part}: {rule.text}"
            for rule in book.rules
            for part in unproved(rule, proofs[rule.id], book)
        ),
    ]
    _say([*table(book, proofs), ""])
    if weak := list(supporting(proofs)):
        _say(["Marked with a rule, but no proof:", *weak, ""])
    if problems:
        _say(["Problems:", *(cut(f"  {problem}") for problem in problems), ""])
    _say([summary(book, proofs, len(problems))])
    _say(["All about one rule, in full: .venv/bin/python -m scripts.rules R28"])
    return 1 if problems else 0


def _say(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    exit_immediately(main(sys.argv[1:], Path.cwd()))
