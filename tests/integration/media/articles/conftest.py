"""The article service beside that of media objects, as their process serves both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.access import Access
from devstack.storefront.server import Storefront
from devstack.storefront.settings import Settings
from servicekit.postgres.database import Database
from services.media.articles.catalogue import HttpCatalogue, http_client
from services.media.articles.handlers import ArticleHandlers
from services.media.articles.servicer import service as article_service
from services.media.articles.store import PostgresArticleStore
from services.media.articles.validator import Examiner
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
    store, assignments, levels = PostgresArticleStore(database), Assignments(), Levels()
    async with http_client() as http:
        catalogue = HttpCatalogue(f"http://{storefront.address}", http)
        examiner = Examiner(harness.store, catalogue, levels, ())
        handlers = ArticleHandlers(
            store, assignments, examiner, catalogue, harness.handlers, QUOTA, lambda: harness.now()
        )
        async with serving(
            access,
            [media_service(harness.handlers), article_service(handlers)],
            database,
            maximum_message_bytes=MediaSettings.model_fields["maximum_message_bytes"].default,
        ) as served:
            yield Harness(served, harness, database, handlers, store, assignments, levels)
