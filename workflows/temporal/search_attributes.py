"""Search attributes by which operators filter workflows in the Temporal UI. No personal data.

SQL-backed Temporal stores allow 10 Keyword and 3 of each other type per namespace.
"""

from temporalio.common import SearchAttributeKey

STATE = SearchAttributeKey.for_keyword("LiaisonState")
BRAND = SearchAttributeKey.for_keyword("LiaisonBrand")
DEADLINE = SearchAttributeKey.for_datetime("LiaisonDeadline")

# Name -> type, as `temporal operator search-attribute create` and `start-dev` spell it.
SEARCH_ATTRIBUTES = {STATE.name: "Keyword", BRAND.name: "Keyword", DEADLINE.name: "Datetime"}
