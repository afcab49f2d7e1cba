"""Creators service: registration, admission, levels, live-stream access, payout accounts."""
