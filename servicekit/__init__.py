"""Infrastructure that every process needs: settings, telemetry, errors, auth, gRPC, Postgres,
S3."""
