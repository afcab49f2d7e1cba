"""The daily reconciliation of payouts."""
