"""What every call passes through, in this order and for these reasons.

1. telemetry   before the rest, so that refused calls are measured too
2. errors      turns whatever the rest raises into a google.rpc.Status
3. auth        before anything looks at the request: a stranger learns nothing from validation
4. validation  before a key is taken: a malformed request leaves no trace
5. idempotency around the handler and its transaction

Around them all and inside them all, `streams` makes a server stream look like one call; `assembled`
puts each method's chain together once.
"""
