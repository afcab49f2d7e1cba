"""Checks of the ledger and of payouts every minute, and their metrics."""
