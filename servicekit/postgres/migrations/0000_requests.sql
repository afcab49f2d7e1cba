-- The keys of servicekit.postgres.idempotency, in each service's own schema.
CREATE TABLE request (
    scope        text,
    request_id   uuid,
    body_sha256  bytea       NOT NULL,
    response     bytea,
    create_time  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, request_id)
);
