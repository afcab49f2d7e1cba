"""What is known of an article beyond its content, and what comes of looking at both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.media.articles.domain import CatalogueProduct, Commission, Kind


@dataclass(frozen=True)
class Upload:
    """An accepted media object of the creator's own."""

    purpose: str
    resembles_another: bool = False
    # None where nobody has looked.
    has_text: bool | None = None


@dataclass(frozen=True)
class Facts:
    """What a use case gathers for the rules."""

    # By media object id; somebody else's, and those that are not accepted, are not among them.
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    # By item id; those that the catalogue does not know are not among them.
    products: Mapping[str, CatalogueProduct] = field(default_factory=dict)
    # The creator's, where it matters; empty while not admitted.
    level: str = ""
    commission: Commission | None = None
    # Kinds of posts that do not do without a banner (R66).
    kinds_with_banner: frozenset[Kind] = frozenset()


@dataclass(frozen=True)
class Finding:
    """One thing about one field; `rule` as in `servicekit.errors.Violation`."""

    field: str
    rule: str
    description: str


@dataclass(frozen=True)
class Findings:
    """Only violations keep an article from being delivered or published."""

    violations: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    confirmations: tuple[Finding, ...] = ()
