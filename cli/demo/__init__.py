"""The demo: one task from draft to closed, played over gRPC by everyone who takes part in it."""
