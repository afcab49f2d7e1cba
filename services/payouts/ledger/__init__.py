"""Double-entry ledger: the chart of accounts, postings and their storage."""
