"""The processes of the embedded stack that benchmarks run on."""

from devstack.stack import ALL_PROCESSES

# Without the trace viewer, a Python process that receives every span: on a small machine a
# benchmark under load would mostly measure it.
PROCESSES = frozenset(ALL_PROCESSES) - {"traces"}
