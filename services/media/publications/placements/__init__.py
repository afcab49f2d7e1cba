"""Placements: articles in prime places for some time."""
