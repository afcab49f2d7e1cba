"""The transaction reports: movements of money on the account, and queries for them."""
