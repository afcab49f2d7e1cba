"""Operators' decisions about payouts and bank transfers."""
