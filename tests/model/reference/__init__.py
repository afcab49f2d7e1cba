"""A second implementation of the rules of assignments and payouts, to compare with."""
