"""Videos: limits, probing in a confined process, and poster frames."""
