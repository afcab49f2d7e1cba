"""Temporal workflows: each owns a lifecycle and its clocks; services own data and side effects."""
