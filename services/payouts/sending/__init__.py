"""Sends payouts through a provider and keeps their status in step with it."""
