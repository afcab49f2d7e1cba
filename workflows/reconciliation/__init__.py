"""The hourly reconciliation of payouts."""
