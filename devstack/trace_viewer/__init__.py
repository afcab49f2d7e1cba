"""A development-only trace viewer: an OTLP receiver, a bounded in-memory store, and two pages.

Spans arrive over OTLP/gRPC, are kept in memory only, and are shown as a list of traces and as a
waterfall of one trace; the same data is served as JSON. There is no storage, no sampling and no
access control, so it binds loopback and is not part of any deployment.
"""
