CREATE TABLE request (
    scope        text,
    request_id   uuid,
    body_sha256  bytea       NOT NULL,
    response     bytea,
    create_time  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, request_id)
);

CREATE TABLE notification (
    id               text PRIMARY KEY,
    deduplication_id text        NOT NULL UNIQUE,
    recipient        text        NOT NULL,
    event            text        NOT NULL,
    subject          text        NOT NULL,
    text             text        NOT NULL,
    create_time      timestamptz NOT NULL
);

CREATE INDEX notification_by_recipient ON notification (recipient, create_time, id);
