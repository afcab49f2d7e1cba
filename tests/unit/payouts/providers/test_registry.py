"""The set of providers is declared once, and all that depends on it follows."""

import subprocess
import sys

from google.protobuf.descriptor import EnumDescriptor
from liaison.payouts.v1 import payouts_pb2

from services.payouts.providers.registry import IMPLEMENTATIONS
from workflows.payout.providers import ProviderName

# Runs in a process of its own, so that the declaration is replaced before anything imports it.
_WITH_A_THIRD = """
from enum import StrEnum

from workflows.payout import providers as names


class ProviderName(StrEnum):
    PAYPAL = "PAYPAL"
    BANK_TRANSFER = "BANK_TRANSFER"
    MOBILE_MONEY = "MOBILE_MONEY"
    option = names.ProviderName.option
    label = names.ProviderName.label
    of_option = classmethod(names.ProviderName.of_option.__func__)


names.ProviderName = ProviderName

from pydantic import TypeAdapter
from typer.testing import CliRunner

from cli.__main__ import app
from cli.payouts import options
from services.payouts.ledger import postings
from services.payouts.providers import registry
from services.payouts.settings import PayoutsSettings
from workflows.reconciliation import schedule

third, implementation = ProviderName.MOBILE_MONEY, object()
registry.IMPLEMENTATIONS.update({
    ProviderName.PAYPAL: lambda given: object(),
    third: lambda given: implementation,
})
assert registry.providers_of(None, None, None)[third] is implementation
assert third in schedule.terms().providers
wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
refused = CliRunner().invoke(app, ["reconciliation", "--provider", "cash"], env=wide)
assert "paypal, bank-transfer, mobile-money" in refused.output, refused.output
assert options.provider_name("mobile-money") == third
assert third.label == "Mobile money"
setting = PayoutsSettings.model_fields["payout_provider"].annotation
assert TypeAdapter(setting).validate_python("MOBILE_MONEY") is third
assert postings.paid_through(third).name == "provider/mobile_money"
"""


def test_the_api_names_the_same_providers() -> None:
    declared = {value.name.removeprefix("PROVIDER_") for value in _enum().values}
    assert declared - {"UNSPECIFIED"} == set(ProviderName)


def test_each_provider_has_an_implementation() -> None:
    assert set(IMPLEMENTATIONS) == set(ProviderName)


def test_a_third_provider_needs_no_edit_elsewhere() -> None:
    done = subprocess.run(  # noqa: S603  the interpreter and a constant
        [sys.executable, "-c", _WITH_A_THIRD], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _enum() -> EnumDescriptor:
    return payouts_pb2.DESCRIPTOR.enum_types_by_name["Provider"]
