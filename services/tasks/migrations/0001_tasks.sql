CREATE TABLE task (
    id                        text PRIMARY KEY,
    brand_id                  text        NOT NULL,
    state                     text        NOT NULL,
    version                   bigint      NOT NULL DEFAULT 1,
    content                   jsonb       NOT NULL,
    application_deadline_time timestamptz NOT NULL,
    frozen_policy             jsonb,
    -- The request that published it: a repeated one finds what it did.
    publish_request_id        text,
    -- False between publishing and the start of the workflow: whoever finds it so starts it.
    has_run                   boolean     NOT NULL DEFAULT false,
    -- Number of the workflow's latest decision that is recorded here.
    sequence                  bigint      NOT NULL DEFAULT 0,
    selected_count            integer     NOT NULL DEFAULT 0,
    create_time               timestamptz NOT NULL,
    update_time               timestamptz NOT NULL,
    publish_time              timestamptz,
    CHECK ((state = 'DRAFT') = (frozen_policy IS NULL))
);

CREATE INDEX task_by_brand ON task (brand_id, create_time DESC, id DESC);
CREATE INDEX task_by_state ON task (state, create_time DESC, id DESC);
CREATE INDEX task_without_run ON task (id) WHERE state = 'OPEN' AND NOT has_run;

CREATE TABLE application (
    id          text PRIMARY KEY,
    task_id     text        NOT NULL REFERENCES task (id),
    creator_id  text        NOT NULL,
    state       text        NOT NULL,
    message     text        NOT NULL,
    -- Set while a selection is being decided: it cannot be withdrawn meanwhile.
    claim       uuid,
    -- Whether the creator was notified that it lapsed.
    is_notified boolean     NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

-- A creator may apply again after withdrawing, not twice at once.
CREATE UNIQUE INDEX application_once ON application (task_id, creator_id)
    WHERE state <> 'WITHDRAWN';
CREATE INDEX application_by_task ON application (task_id, create_time, id);
CREATE INDEX application_by_creator ON application (creator_id, create_time, id);

CREATE TABLE assignment (
    id          text PRIMARY KEY,
    task_id     text        NOT NULL REFERENCES task (id),
    brand_id    text        NOT NULL,
    creator_id  text        NOT NULL,
    state       text        NOT NULL,
    sequence    bigint      NOT NULL,
    -- liaison.tasks.v1.Assignment, as it is shown.
    message     bytea       NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE INDEX assignment_by_task ON assignment (task_id, create_time DESC, id DESC);
CREATE INDEX assignment_by_brand ON assignment (brand_id, create_time DESC, id DESC);
CREATE INDEX assignment_by_creator ON assignment (creator_id, create_time DESC, id DESC);

CREATE TABLE transition (
    assignment_id text        NOT NULL REFERENCES assignment (id),
    sequence      bigint      NOT NULL,
    event         text        NOT NULL,
    from_state    text,
    to_state      text        NOT NULL,
    actor         text        NOT NULL,
    comment       text        NOT NULL,
    time          timestamptz NOT NULL,
    PRIMARY KEY (assignment_id, sequence)
);
