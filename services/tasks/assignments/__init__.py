"""Assignments: read from the read model, commanded through their workflows."""
