"""Notifications: what the platform tells people, kept for them to read."""
