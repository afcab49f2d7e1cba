CREATE TABLE creator (
    id                     text PRIMARY KEY,
    state                  text        NOT NULL
        CHECK (state IN ('REGISTERED', 'PENDING_REVIEW', 'ADMITTED', 'REFUSED')),
    display_name           text        NOT NULL,
    mobile_number          text        NOT NULL,
    dingtalk_id            text        NOT NULL,
    account                jsonb,
    refusals               jsonb       NOT NULL DEFAULT '[]',
    level                  text,
    has_live_stream_access boolean     NOT NULL DEFAULT false,
    paypal_receiver        text        NOT NULL DEFAULT '',
    create_time            timestamptz NOT NULL,
    update_time            timestamptz NOT NULL,
    CHECK ((state = 'ADMITTED') = (level IS NOT NULL))
);

CREATE INDEX creator_by_time ON creator (create_time, id);
