"""The interceptor chain of every call, outermost first.

1. telemetry   first, so that rejected calls are measured, too
2. errors      converts what the rest raises to a google.rpc.Status
3. auth        before validation, whose errors an unauthenticated caller must not see
4. validation  before idempotency, so that a malformed request claims no key
5. idempotency around the handler and its transaction

`streams` makes a server stream look like a unary call to all of these, with one interceptor outside
of them and one inside. `chain_cache`, outermost of all, builds each method's chain only once.
"""
