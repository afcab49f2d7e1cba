"""Cells of a statement's CSV: numbers stay numbers, and text is never a formula."""

import pytest
from liaison.payouts.v1 import statements_pb2 as pb

from cli.payouts.statement import COLUMNS, row_of
from servicekit.money import Money


def _cells(line: pb.StatementLine) -> dict[str, str]:
    return dict(zip(COLUMNS, row_of(line), strict=True))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "－", "  =", " @"])
def test_text_that_looks_like_a_formula_is_escaped(start: str) -> None:
    assert _cells(pb.StatementLine(external_reference=f"{start}1+1"))[
        "external_reference"
    ].startswith("'")


def test_harmless_text_is_unchanged() -> None:
    assert _cells(pb.StatementLine(external_reference="SEPA-1 = 2"))["external_reference"] == (
        "SEPA-1 = 2"
    )


@pytest.mark.parametrize(
    ("minor", "cell"),
    [(0, "0.00"), (-5, "-0.05"), (123_456_789, "1234567.89"), (-10_200, "-102.00")],
)
def test_an_amount_is_a_plain_number(minor: int, cell: str) -> None:
    cells = _cells(pb.StatementLine(amount=Money("EUR", minor).to_message()))
    assert (cells["amount"], cells["currency"], cells["fee"]) == (cell, "EUR", "")
