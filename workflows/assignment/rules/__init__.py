"""The rules of an assignment. Pure: no SDK, no clock, no I/O."""
