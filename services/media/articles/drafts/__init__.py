"""Drafts: creating, changing, listing and deleting them."""
