-- Read model of disputes, written by workflow activities. `snapshot` is the whole dispute; the other
-- columns are those that lists filter and order by.
CREATE TABLE dispute (
    id          text PRIMARY KEY,
    brand_id    text        NOT NULL,
    creator_id  text        NOT NULL,
    state       text        NOT NULL
        CHECK (state IN ('OPEN', 'UNDER_REVIEW', 'RESOLVED', 'WITHDRAWN')),
    sequence    bigint      NOT NULL CHECK (sequence > 0),
    create_time timestamptz NOT NULL,
    snapshot    jsonb       NOT NULL
);

CREATE INDEX dispute_by_time ON dispute (create_time, id);
CREATE INDEX dispute_by_brand ON dispute (brand_id, create_time, id);
CREATE INDEX dispute_by_creator ON dispute (creator_id, create_time, id);
-- Open disputes, oldest first: the queue of mediators.
CREATE INDEX dispute_undecided ON dispute (create_time, id)
    WHERE state IN ('OPEN', 'UNDER_REVIEW');
