"""Postgres: connection pool, migrations, change notification, and keys of idempotent requests."""
