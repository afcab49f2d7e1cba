"""An emulator of PayPal's Payouts calls, for development and tests only.

It is stateful and unkind: it loses answers after accepting, checks funds before anything else, and
reports failures late, because those are the cases in which money is paid twice. Everything it
accepted is in SQLite before it answers, so a killed sandbox continues where it was.

How an item fares is chosen by the start of its receiver's local part (`failed-late@example.com`,
`unclaimed+anna@example.com`; `-`, `_` and `.` are the same), or by an override set over the admin
call, which wins and applies to payouts accepted afterwards:

    PUT    /admin/behaviours/{receiver}   {"behaviour": "FAILED_LATE", "delay_seconds": 5}
    DELETE /admin/behaviours/{receiver}
    GET    /admin/behaviours

The admin calls have no authentication and answer loopback callers only.

    SUCCESS                 paid after a moment: PENDING, then the batch PROCESSING, then SUCCESS
    FAILED_LATE             PENDING for the delay, then FAILED with an error; the batch is a SUCCESS
    UNCLAIMED               delivered to nobody; returned after 30 days or when cancelled
    RETURNED                UNCLAIMED, then RETURNED after the delay
    REVERSED_LATE           SUCCESS, then REVERSED after the delay, of which no webhook tells
    ONHOLD                  held for review, for good
    BLOCKED                 blocked, for good
    DENIED                  the whole batch is denied, which frees its sender_batch_id
    DROP_ANSWER             accepted, but the connection is closed without an answer; then SUCCESS
    ERROR_500_AFTER_ACCEPT  accepted, but the answer is a 500; then SUCCESS
    INSUFFICIENT_FUNDS      refused with 422, before it is looked at whether the batch is known

The delay is three seconds unless an override says otherwise; with an override, SUCCESS takes at
least its delay, and UNCLAIMED is returned after it. Anything not named above is a SUCCESS. A test
that wants PayPal to lack the money for a batch it has already taken sets INSUFFICIENT_FUNDS late.

Where a batch mixes behaviours, one refusal refuses it, one denial denies it, and one lost answer
loses its answer.
"""
