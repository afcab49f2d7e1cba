"""Payouts: brands' funds, the ledger, and the money that reaches creators."""
