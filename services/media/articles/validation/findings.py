"""Inputs of validation beyond the content, and its results. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.media.articles.domain import AssignmentContext, CatalogueProduct, Kind


@dataclass(frozen=True)
class Upload:
    """An accepted media object of the creator's own."""

    purpose: str
    resembles_another: bool = False
    # None when text detection did not run.
    has_text: bool | None = None


@dataclass(frozen=True)
class Facts:
    """What the rules need beyond the content."""

    # Accepted media objects of the creator, by id.
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    # Products that the catalogue has, by item id.
    products: Mapping[str, CatalogueProduct] = field(default_factory=dict)
    # The creator's level if the article has uploaded videos; empty when not admitted.
    level: str = ""
    assignment_context: AssignmentContext | None = None
    # Kinds of posts that require a banner (R66).
    kinds_with_banner: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class Finding:
    """A finding on one field; `rule` is as in `servicekit.errors.Violation`."""

    field: str
    rule: str
    description: str


@dataclass(frozen=True)
class Findings:
    """Only violations prevent delivery and publication."""

    violations: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    confirmations: tuple[Finding, ...] = ()
