CREATE TABLE publication (
    id                 text PRIMARY KEY,
    article_id         text        NOT NULL,
    revision_id        text        NOT NULL,
    channel            text        NOT NULL CHECK (channel IN ('FEED', 'FACEBOOK', 'INSTAGRAM',
                                                               'PINTEREST', 'VK', 'X')),
    creator_id         text        NOT NULL,
    brand_id           text        NOT NULL,
    assignment_id      text        NOT NULL,
    state              text        NOT NULL DEFAULT 'PENDING'
                                   CHECK (state IN ('PENDING', 'PUBLISHED', 'WITHDRAWN')),
    url                text        NOT NULL DEFAULT '',
    request_time       timestamptz NOT NULL,
    due_time           timestamptz NOT NULL,
    publish_time       timestamptz,
    is_overdue         boolean     NOT NULL DEFAULT false,
    withdraw_reason    text        NOT NULL DEFAULT '',
    withdraw_command   text        NOT NULL DEFAULT '',
    -- Whether the workflows run that bring it to its readers, and that take it back.
    has_run            boolean     NOT NULL DEFAULT false,
    has_withdrawal_run boolean     NOT NULL DEFAULT false,
    FOREIGN KEY (article_id, revision_id) REFERENCES article_revision,
    -- An article is published once.
    UNIQUE (article_id, channel),
    CHECK ((publish_time IS NULL) = (url = '')),
    CHECK (state <> 'PENDING' OR publish_time IS NULL),
    CHECK (state <> 'PUBLISHED' OR publish_time IS NOT NULL),
    CHECK ((state = 'WITHDRAWN') = (withdraw_command <> ''))
);

CREATE INDEX publication_by_time ON publication (request_time DESC, id DESC);
CREATE INDEX publication_by_creator ON publication (creator_id, request_time DESC, id DESC);
CREATE INDEX publication_by_brand ON publication (brand_id, request_time DESC, id DESC)
    WHERE brand_id <> '';
CREATE INDEX publication_overdue ON publication (request_time DESC, id DESC) WHERE is_overdue;
CREATE INDEX publication_pending ON publication (request_time, id) WHERE state = 'PENDING';
CREATE INDEX publication_without_run ON publication (id)
    WHERE state = 'PENDING' AND NOT has_run
       OR state = 'WITHDRAWN' AND NOT has_withdrawal_run;

-- Slots are compared like times: as ranges, each of one name. An index over text and times together
-- would need an extension, which a service may not create.
CREATE TYPE slot_range AS RANGE (subtype = text, collation = "C");

CREATE TABLE placement (
    id             text PRIMARY KEY,
    slot           text        NOT NULL,
    publication_id text        NOT NULL REFERENCES publication,
    start_time     timestamptz NOT NULL,
    end_time       timestamptz NOT NULL CHECK (end_time > start_time),
    granted_by     text        NOT NULL,
    create_time    timestamptz NOT NULL,
    cancel_time    timestamptz,
    -- It was not taken back before it began.
    is_shown       boolean     GENERATED ALWAYS AS (cancel_time IS NULL OR cancel_time > start_time)
                               STORED,
    -- One article a slot at a time.
    CONSTRAINT placement_alone EXCLUDE USING gist (
        slot_range(slot, slot, '[]') WITH &&,
        tstzrange(start_time, end_time) WITH &&
    ) WHERE (is_shown)
);

CREATE INDEX placement_by_time ON placement (start_time, id);
CREATE INDEX placement_by_slot ON placement (slot, start_time, id);
CREATE INDEX placement_by_publication ON placement (publication_id);
