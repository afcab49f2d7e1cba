"""An emulator of PayPal's Payouts API, for development and tests only.

It is stateful, and emulates the cases in which clients pay twice: responses lost after acceptance,
funds checked before duplicates, and late failures. What it has accepted is committed to SQLite
before it responds, so a killed sandbox continues where it was.

How an item fares is chosen by the start of its receiver's local part (`failed-late@example.com`,
`unclaimed+anna@example.com`; `-`, `_` and `.` are the same), or by an override set over the admin
call, which wins and applies to payouts accepted afterwards:

    PUT    /admin/behaviours/{receiver}   {"behaviour": "FAILED_LATE", "delay_seconds": 5}
    DELETE /admin/behaviours/{receiver}
    GET    /admin/behaviours

    SUCCESS                 paid after a moment: PENDING, then the batch PROCESSING, then SUCCESS
    FAILED_LATE             PENDING for the delay, then FAILED with an error; the batch is a SUCCESS
    UNCLAIMED               not claimed by the receiver; returned after 30 days or when cancelled
    RETURNED                UNCLAIMED, then RETURNED after the delay
    REVERSED_LATE           SUCCESS, then REVERSED after the delay, without a webhook
    ONHOLD                  held for review, permanently
    BLOCKED                 blocked, permanently
    CANCEL_DROPS_RESPONSE   UNCLAIMED; cancelling it works, but the connection is closed without a
                            response
    DENIED                  the whole batch is denied, which frees its sender_batch_id
    DROP_RESPONSE           accepted, but the connection is closed without a response; then SUCCESS
    ERROR_500_AFTER_ACCEPT  accepted, but the response is a 500; then SUCCESS
    INSUFFICIENT_FUNDS      refused with 422, before the check for a known batch

The delay is three seconds unless an override says otherwise; with an override, SUCCESS takes at
least its delay, and UNCLAIMED is returned after it. Anything not named above is a SUCCESS. A test
that wants PayPal to lack the money for a batch it has already taken sets INSUFFICIENT_FUNDS late.

Where a batch mixes behaviours, one item is enough to refuse the batch, to deny it, or to lose its
response.

An admin call performs a later action of the receiver or PayPal and replaces the scheduled changes:
claim an UNCLAIMED item (SUCCESS), release or fail one that is ONHOLD or BLOCKED, return a paid
one (REFUNDED, or REVERSED without a webhook). Webhooks are sent unless `sends_webhook` is false.
Any event may be sent again.

    POST   /admin/items/{payout_item_id}  {"status": "REFUNDED", "sends_webhook": false}
    POST   /admin/events/{event_id}

GET /v1/reporting/transactions reports what left the account and what came back. Money leaves it
when an item is SUCCESS, and already when it is UNCLAIMED or ONHOLD: such a line is pending (P)
until it is done (S), denied (D) or, as any payment that came back, reversed (V). Its
sender_item_id is the line's custom_field. What comes back has a line of its own, which names
the first: T1114 with the fee for RETURNED, T1115 for REFUNDED, T1106 for REVERSED. A batch's
amount and fees are held (T1503) until its end (T1105). Lines may be added, as if somebody else
had used the account, changed, or hidden:

    POST   /admin/transactions            {"amount": "-90.00", "custom_field": "po-x-1"}
    PATCH  /admin/transactions/{transaction_id}    {"amount": "-1.00"} or {"is_reported": false}

By default lines appear at once, a report has up to 10,000 lines, and POSTs are not limited. This
call changes that; a field left out is reset to its default:

    PUT    /admin/conditions              {"reporting_lag_seconds": 10800, "report_line_limit": 2,
                                           "posts_a_minute": 400}

The admin calls have no authentication and accept loopback callers only.
"""
