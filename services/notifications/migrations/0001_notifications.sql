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
