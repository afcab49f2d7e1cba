"""Chart of accounts, and the transfers posted to the ledger. Pure.

Credits are positive, debits negative. Over all accounts each currency sums to zero.

account                     balance
`world/deposits`            minus all deposits of brands
`brands/{brand}/available`  a brand's free funds; never below zero
`brands/{brand}/reserved`   reserved for unpaid rewards; never below zero
`provider/{provider}`       paid out to creators, less returns; for example `provider/paypal`
`fees/{provider}`           fees charged by the provider
`platform/fees`             minus the part of those fees that the platform bore
`platform/written_off`      written off to the platform, to pay the creators in another way

transfer   posts
DEPOSIT    world/deposits → available
RESERVE    available → reserved: the reward and the highest fee it can cost
REDUCE     reserved → available: the difference to a lower reward and its maximum fee
RELEASE    reserved → available: all that is held for the payout
SETTLE     reserved → provider/{provider} (the reward), fees/{provider} (the fee), available (the
           rest)
WRITE_OFF  reserved → available or platform/written_off: all that is held for a payout that cannot
           be paid
RETURN     provider/{provider} → reserved: a reward that came back after it was paid; the provider
           keeps the fee. An unclaimed payment was never settled, so its return posts nothing.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from servicekit.money import Money
from services.payouts.attempts import Attempt
from services.payouts.domain import Beneficiary, Deposit, Payout
from workflows.payout.providers import ProviderName

# Maximum fee: PayPal charges about 2 % on top of the payment, capped for most countries. The
# platform bears a higher one, since the hold cannot cover it.
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
    """Ordered, so that transfers lock accounts in one order and cannot deadlock."""

    owner: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.owner}/{self.kind}"


WORLD = Account("world", "deposits")
PLATFORM = Account("platform", "fees")
WRITTEN_OFF = Account("platform", "written_off")
# Owner of the accounts of all money paid out, through any provider.
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
    """Entries posted together, at most once per `key`."""

    key: str
    kind: Kind
    entries: tuple[Entry, ...]
    payout_id: str | None = None
    attempt_number: int | None = None

    @property
    def body_sha256(self) -> bytes:
        """Distinguishes a repeated posting from a different one under the same key."""
        lines = [[e.account.name, e.amount.currency, e.amount.amount_minor] for e in self.entries]
        return hashlib.sha256(json.dumps([self.kind, lines]).encode()).digest()


def maximum_fee_minor(amount_minor: int) -> int:
    """Rounded up, so that the hold is always sufficient."""
    return -(-amount_minor * MAXIMUM_FEE_PERCENT // 100)


def hold_minor(amount: Money) -> int:
    """Amount held for a reward: the reward and its maximum fee."""
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
    """Splits the amount held into the payment, the fee and the rest, which becomes available.

    The platform bears a fee above the amount held for it, or in another currency: the money has
    left, so the ledger must record it.
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
