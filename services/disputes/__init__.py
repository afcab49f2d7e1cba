"""Disputes: opened by one side, decided by mediators; the book of what their workflows decide."""
