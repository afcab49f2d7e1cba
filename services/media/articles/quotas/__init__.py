"""Quotas: how much one creator may write."""
