"""Compares providers' reports with the ledger."""
