"""ArticleService and MediaService on one server, as their process serves them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.access import Access
from devstack.storefront.server import Storefront
from devstack.storefront.settings import Settings
from servicekit.postgres.database import Database
from services.media.articles.catalogue.client import CatalogueClient, http_client
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.drafts.store import DraftStore
from services.media.articles.revisions.handlers import RevisionHandlers
from services.media.articles.revisions.store import RevisionStore
from services.media.articles.servicer import service as article_service
from services.media.articles.validation.validator import ArticleValidator
from services.media.settings import MediaSettings
from services.media.uploads.servicer import service as media_service
from tests.integration.media.articles.harness import QUOTA, Assignments, Harness, Levels
from tests.integration.media.conftest import Harness as MediaHarness
from tests.support.serving import serving


@pytest.fixture
async def storefront(tmp_path: Path) -> AsyncIterator[Storefront]:
    settings = Settings(address="127.0.0.1:0", token=SecretStr("token"), data_dir=tmp_path)
    async with Storefront(settings) as storefront:
        yield storefront


@pytest.fixture
async def articles(
    access: Access, database: Database, harness: MediaHarness, storefront: Storefront
) -> AsyncIterator[Harness]:
    drafts, revisions = DraftStore(database), RevisionStore(database)
    assignments, levels = Assignments(), Levels()
    async with http_client() as http:
        catalogue = CatalogueClient(f"http://{storefront.address}", http)
        validator = ArticleValidator(harness.store.list_by_id, catalogue, levels, ())
        draft_handlers = DraftHandlers(
            drafts, assignments, validator, catalogue, QUOTA, lambda: harness.now()
        )
        revision_handlers = RevisionHandlers(
            revisions,
            drafts,
            validator,
            harness.handlers.require_stored,
            QUOTA,
            lambda: harness.now(),
        )
        async with serving(
            access,
            [media_service(harness.handlers), article_service(draft_handlers, revision_handlers)],
            database,
            maximum_message_bytes=MediaSettings.model_fields["maximum_message_bytes"].default,
        ) as served:
            yield Harness(
                served,
                harness,
                database,
                draft_handlers,
                revision_handlers,
                drafts,
                revisions,
                assignments,
                levels,
                catalogue,
            )
