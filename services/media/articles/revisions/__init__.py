"""Sealed revisions: what is delivered or published of an article."""
