"""Statements of account of brands and creators."""
