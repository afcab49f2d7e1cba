"""Development scripts: stubs of the protos, and the rules report."""
