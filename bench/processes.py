"""What benchmarks run on: the embedded stack, in a temporary home."""

from devstack.stack import ALL_PROCESSES

# Without the trace viewer, which is for development: it is a Python process that takes in every
# span, and on a small machine a benchmark under load would mostly measure it.
PROCESSES = frozenset(ALL_PROCESSES) - {"traces"}
