"""Transitions of tasks and assignments: listed, or streamed as they are recorded."""
