"""The commands about payouts: `liaison payout`, `payouts`, `reconciliation` and `statement`."""
