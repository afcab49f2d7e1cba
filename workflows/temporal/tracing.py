"""Assigns a workflow's side effects to traces.

A handler changes state and `run` acts on it, so `run` continues the trace of the call that made the
change: one trace leads from the call through the workflow to the rows it wrote. What a clock causes
starts a new trace; a workflow that lasts months has many traces, related by its id.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.context import Context


def current_trace() -> Context:
    return context.get_current()


@contextmanager
def in_trace(origin: Context | None) -> Iterator[None]:
    """Runs the block in the trace of `origin`, or in a new trace if that is None."""
    token = context.attach(Context() if origin is None else origin)
    is_evicted = False
    try:
        yield
    except GeneratorExit:
        # A workflow evicted from the cache is closed from outside; its context is gone already.
        is_evicted = True
        raise
    finally:
        if not is_evicted:
            context.detach(token)
