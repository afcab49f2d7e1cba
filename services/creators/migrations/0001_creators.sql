-- One row per creator, with its latest application for admission. The documents are JSON: `account`
-- and `statistics` of the latest application, `refusals` while REFUSED or APPEALED, `appeal`, and
-- the latest `live_stream_application`.
CREATE TABLE creator (
    id                        text PRIMARY KEY,
    state                     text        NOT NULL
        CHECK (state IN ('REGISTERED', 'PENDING_REVIEW', 'ADMITTED', 'REFUSED', 'APPEALED')),
    display_name              text        NOT NULL,
    mobile_number             text        NOT NULL,
    dingtalk_id               text        NOT NULL,
    account                   jsonb,
    statistics                jsonb,
    refusals                  jsonb       NOT NULL DEFAULT '[]',
    refused_by                text        NOT NULL DEFAULT '',
    appeal                    jsonb,
    level                     text,
    live_stream_application   jsonb,
    paypal_receiver           text        NOT NULL DEFAULT '',
    -- When the creator last named its PayPal account. A payout that nobody claimed there is sent to
    -- the same account again only if it was named after that payout.
    paypal_receiver_name_time timestamptz,
    create_time               timestamptz NOT NULL,
    update_time               timestamptz NOT NULL,
    CHECK ((state = 'ADMITTED') = (level IS NOT NULL)),
    CHECK ((state IN ('REFUSED', 'APPEALED')) = (refused_by <> '')),
    CHECK ((account IS NULL) = (statistics IS NULL)),
    CHECK (state <> 'APPEALED' OR appeal IS NOT NULL)
);

CREATE INDEX creator_by_time ON creator (create_time, id);

-- The operators' queues: admissions by state, and live-stream applications by theirs.
CREATE INDEX creator_by_state ON creator (state, create_time, id);
CREATE INDEX creator_by_live_stream_state
    ON creator ((live_stream_application ->> 'state'), create_time, id)
    WHERE live_stream_application IS NOT NULL;

-- Every decision about a creator, numbered from 1 for each creator. Rows are only ever added.
CREATE TABLE creator_decision (
    creator_id              text        NOT NULL REFERENCES creator (id),
    number                  integer     NOT NULL,
    kind                    text        NOT NULL
        CHECK (kind IN ('ADMITTED', 'REFUSED', 'LEVEL_CHANGED', 'LIVE_STREAM_GRANTED',
                        'LIVE_STREAM_REFUSED', 'LIVE_STREAM_REVOKED')),
    decided_by              text        NOT NULL,
    decide_time             timestamptz NOT NULL,
    comment                 text        NOT NULL,
    refusals                jsonb       NOT NULL,
    level                   text,
    account                 jsonb,
    appeal                  jsonb,
    live_stream_application jsonb,
    PRIMARY KEY (creator_id, number)
);

-- The latest statistics that a platform observed, for each account a creator has applied with.
CREATE TABLE observation (
    creator_id  text  NOT NULL REFERENCES creator (id),
    account_key text  NOT NULL,
    statistics  jsonb NOT NULL,
    PRIMARY KEY (creator_id, account_key)
);
