"""The seam to Temporal: its client, failures, search attributes, signals and traces."""
