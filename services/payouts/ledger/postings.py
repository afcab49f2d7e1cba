"""What is posted to the ledger, and the chart of accounts. Pure.

Credits are positive: money that is somebody's, or went somewhere; debits are negative. Over all
accounts each currency sums to zero.

account                     what its balance says
`world/deposits`            minus all money that brands have brought in
`brands/{brand}/available`  a brand's free funds; never below zero
`brands/{brand}/reserved`   set aside for rewards that are not paid; never below zero
`provider/{provider}`       paid out to creators, less what came back; `provider/paypal`, say
`fees/{provider}`           kept by it as fees
`platform/fees`             minus what we bore of those fees ourselves
`platform/written_off`      kept to pay creators in another way, whose payouts were written off

transfer   posts
DEPOSIT    world/deposits → available
RESERVE    available → reserved: the reward and the highest fee it can cost
REDUCE     reserved → available: what a lower reward needs less
RELEASE    reserved → available: all that is held for the payout
SETTLE     reserved → provider/{provider} (the reward), fees/{provider} (the fee), available (the
           rest)
WRITE_OFF  reserved → available or platform/written_off: all that is held for a payout that cannot
           be paid
RETURN     provider/{provider} → reserved: a reward that came back after it was paid; the provider
           keeps the fee. What comes back unclaimed was never settled: its hold was kept all along.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from servicekit.money import Money
from services.payouts.attempts import Attempt
from services.payouts.domain import Beneficiary, Deposit, Payout
from workflows.payout.providers import ProviderName

# PayPal charges about 2 % on top of what it pays out, capped for most countries: this is the most
# it can be. A higher one would be borne by the platform, never by a hold that cannot cover it.
MAXIMUM_FEE_PERCENT = 2


class Kind(StrEnum):
    DEPOSIT = "DEPOSIT"
    RESERVE = "RESERVE"
    REDUCE = "REDUCE"
    RELEASE = "RELEASE"
    SETTLE = "SETTLE"
    RETURN = "RETURN"
    WRITE_OFF = "WRITE_OFF"


@dataclass(frozen=True, order=True)
class Account:
    """Ordered, so that transfers lock accounts in one order and never each other."""

    owner: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.kind}"


WORLD = Account("world", "deposits")
PLATFORM = Account("platform", "fees")
WRITTEN_OFF = Account("platform", "written_off")
# Whose entries are what left us, whichever provider it went through.
PROVIDER_OWNER = "provider"


def available(brand: str) -> Account:
    return Account(f"brands/{brand}", "available")


def reserved(brand: str) -> Account:
    return Account(f"brands/{brand}", "reserved")


def paid_through(provider: ProviderName) -> Account:
    return Account(PROVIDER_OWNER, provider.lower())


def fees_of(provider: ProviderName) -> Account:
    return Account("fees", provider.lower())


@dataclass(frozen=True)
class Entry:
    account: Account
    amount: Money


@dataclass(frozen=True)
class Transfer:
    """Entries that are posted together, once for one `key`."""

    key: str
    kind: Kind
    entries: tuple[Entry, ...]
    payout_id: str | None = None
    attempt_number: int | None = None

    @property
    def body_sha256(self) -> bytes:
        """By which the same posting is told from another under the same key."""
        lines = [[e.account.name, e.amount.currency, e.amount.amount_minor] for e in self.entries]
        return hashlib.sha256(json.dumps([self.kind, lines]).encode()).digest()


def maximum_fee_minor(amount_minor: int) -> int:
    """Rounded up: a hold must not fall short by a cent."""
    return -(-amount_minor * MAXIMUM_FEE_PERCENT // 100)


def hold_minor(amount: Money) -> int:
    """What is set aside for a reward: itself, and the highest fee it can cost."""
    return amount.amount_minor + maximum_fee_minor(amount.amount_minor)


def _entries(currency: str, legs: dict[Account, int]) -> tuple[Entry, ...]:
    return tuple(
        Entry(account, Money(currency, minor)) for account, minor in sorted(legs.items()) if minor
    )


def deposit(what: Deposit) -> Transfer:
    minor = what.amount.amount_minor
    legs = {WORLD: -minor, available(what.brand): minor}
    return Transfer(f"deposit/{what.id}", Kind.DEPOSIT, _entries(what.amount.currency, legs))


def reserve(payout_id: str, brand: str, amount: Money) -> Transfer:
    minor = hold_minor(amount)
    legs = {available(brand): -minor, reserved(brand): minor}
    return Transfer(
        f"reserve/{payout_id}", Kind.RESERVE, _entries(amount.currency, legs), payout_id
    )


def reduce(payout: Payout, amount: Money) -> Transfer:
    minor = payout.held_minor - hold_minor(amount)
    legs = {available(payout.brand): minor, reserved(payout.brand): -minor}
    return Transfer(
        f"reduce/{payout.id}/{amount.amount_minor}",
        Kind.REDUCE,
        _entries(amount.currency, legs),
        payout.id,
    )


def release(payout: Payout) -> Transfer:
    minor = payout.held_minor
    legs = {available(payout.brand): minor, reserved(payout.brand): -minor}
    return Transfer(
        f"release/{payout.id}", Kind.RELEASE, _entries(payout.amount.currency, legs), payout.id
    )


def write_off(payout: Payout, beneficiary: Beneficiary) -> Transfer:
    minor = payout.held_minor
    kept = available(payout.brand) if beneficiary is Beneficiary.BRAND else WRITTEN_OFF
    legs = {kept: minor, reserved(payout.brand): -minor}
    return Transfer(
        f"write-off/{payout.id}", Kind.WRITE_OFF, _entries(payout.amount.currency, legs), payout.id
    )


def settle(payout: Payout, attempt: Attempt, fee: Money) -> Transfer:
    """All that was held, split into paid, fee and given back.

    A fee above what was held for it, or in another currency, is borne by the platform: the money
    has gone, and no rule of ours may keep that out of the books.
    """
    currency, paid_minor = attempt.amount.currency, attempt.amount.amount_minor
    fees = fees_of(attempt.provider)
    is_same_currency = fee.currency == currency
    fee_minor = fee.amount_minor if is_same_currency else 0
    left_minor = payout.held_minor - paid_minor - fee_minor
    legs = {
        reserved(payout.brand): -payout.held_minor,
        paid_through(attempt.provider): paid_minor,
        fees: fee_minor,
        available(payout.brand): max(left_minor, 0),
        PLATFORM: min(left_minor, 0),
    }
    entries = _entries(currency, legs)
    if not is_same_currency:
        entries += _entries(fee.currency, {fees: fee.amount_minor, PLATFORM: -fee.amount_minor})
    return Transfer(
        f"settle/{payout.id}/{attempt.number}", Kind.SETTLE, entries, payout.id, attempt.number
    )


def give_back(payout: Payout, attempt: Attempt) -> Transfer:
    minor = attempt.amount.amount_minor
    legs = {paid_through(attempt.provider): -minor, reserved(payout.brand): minor}
    return Transfer(
        f"return/{payout.id}/{attempt.number}",
        Kind.RETURN,
        _entries(attempt.amount.currency, legs),
        payout.id,
        attempt.number,
    )
