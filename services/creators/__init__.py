"""Creators: who may work here, at which level, and where their rewards go."""
