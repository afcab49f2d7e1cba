"""Errors in PayPal's format: raised below the routes, rendered by one middleware."""

import secrets
from typing import Any


class PayPalError(Exception):
    """A response other than success; the message is the sandbox's own wording."""

    def __init__(self, status: int, name: str, message: str, *details: dict[str, Any]) -> None:
        super().__init__(f"{status} {name}")
        self.status = status
        self.name = name
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": self.name,
            "message": self.message,
            "debug_id": secrets.token_hex(7)[:13],
            "links": [],
        }
        if self.details:
            body["details"] = list(self.details)
        return body


def validation(*details: dict[str, Any]) -> PayPalError:
    return PayPalError(400, "VALIDATION_ERROR", "The request has invalid fields.", *details)


def duplicate(first_batch_url: str) -> PayPalError:
    """The link is not in PayPal's schema, but is the only reference to the first batch."""
    detail = {
        "field": "SENDER_BATCH_ID",
        "location": "body",
        "issue": "Batch with given sender_batch_id already exists",
        "link": [{"href": first_batch_url, "rel": "self", "method": "GET"}],
    }
    return PayPalError(400, "USER_BUSINESS_ERROR", "The request breaks a business rule.", detail)


def too_many_posts() -> PayPalError:
    return PayPalError(
        429, "RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."
    )


def insufficient_funds() -> PayPalError:
    return PayPalError(422, "INSUFFICIENT_FUNDS", "The sender's balance does not cover the batch.")


def incorrect_status(status: str) -> PayPalError:
    detail = {"field": "payout_item_id", "location": "path", "issue": f"The item is {status}."}
    return PayPalError(
        400, "ITEM_INCORRECT_STATUS", "Only an unclaimed item can be cancelled.", detail
    )


def may_not_follow(current: str, wanted: str) -> PayPalError:
    """An error of the admin calls; PayPal has no such error."""
    return PayPalError(409, "RESOURCE_CONFLICT", f"After {current} there is no {wanted}.")


def bad_query(field: str, issue: str) -> PayPalError:
    """The contract fixes the name and message of errors of the reports."""
    message = "Request is not well-formed, syntactically incorrect, or violates schema."
    detail = {"field": field, "location": "query", "issue": issue}
    return PayPalError(400, "INVALID_REQUEST", message, detail)


def too_many_lines() -> PayPalError:
    """PayPal returns this error, although the contract does not list it."""
    message = "Result set size is greater than the maximum limit. Change the filter criteria."
    return PayPalError(400, "RESULTSET_TOO_LARGE", message)


def not_found(kind: str) -> PayPalError:
    return PayPalError(404, "RESOURCE_NOT_FOUND", f"There is no such {kind}.")


def unauthenticated() -> PayPalError:
    message = (
        "Authentication failed due to missing authorization header, or invalid authentication"
        " credentials."
    )
    return PayPalError(401, "AUTHENTICATION_FAILURE", message)


def internal() -> PayPalError:
    return PayPalError(500, "INTERNAL_SERVER_ERROR", "An internal server error occurred.")
