"""The demo: one task from draft to closed, played over gRPC by brand, creators and staff."""
