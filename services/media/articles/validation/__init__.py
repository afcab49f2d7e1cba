"""Validation: the rules for articles, and advice."""
