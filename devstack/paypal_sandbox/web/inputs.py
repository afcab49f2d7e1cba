"""Parses request bodies and query parameters; errors are PayPal's."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from devstack.paypal_sandbox import errors
from devstack.paypal_sandbox.web import requests

MAX_PAGE_SIZE = 1000

_Model = TypeVar("_Model", bound=BaseModel)


async def body_of(request: web.Request, model: type[_Model]) -> _Model:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise errors.validation(*requests.violations(error)) from None


def query_of(request: web.Request, model: type[_Model]) -> _Model:
    """Raises the error format of the reporting API."""
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        first = requests.violations(error)[0]
        raise errors.bad_query(first["field"], first["issue"]) from None


def whole_number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_PAGE_SIZE):
        issue = f"must be a number from 1 to {MAX_PAGE_SIZE}"
        raise errors.validation({"field": name, "location": "query", "issue": issue})
    return int(text)
