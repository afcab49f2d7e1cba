"""Which trace a workflow's side effects belong to.

A handler changes state and `run` acts on it, so `run` takes up the trace of whoever made the
change: one trace then leads from a call through the workflow to the rows it wrote. What a clock
causes starts a trace of its own; a life of months is many traces, tied by ids.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.context import Context


def current_trace() -> Context:
    return context.get_current()


@contextmanager
def in_trace(origin: Context | None) -> Iterator[None]:
    """What happens inside belongs to `origin`, or to a new trace when that is None."""
    token = context.attach(Context() if origin is None else origin)
    is_evicted = False
    try:
        yield
    except GeneratorExit:
        # A workflow that leaves the cache is closed from outside: its context is gone already.
        is_evicted = True
        raise
    finally:
        if not is_evicted:
            context.detach(token)
