-- Tables of the tasks service: tasks and applications, which it owns, and the read model of tasks,
-- applications and assignments that workflow activities write through RecordService.

-- The text that full-text search sees, of tasks and of queries: NFKC, with punctuation replaced by
-- spaces, so that "either/or", "hands-on" and "3.5" are indexed as separate words.
CREATE FUNCTION search_text(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN translate(normalize($1, NFKC), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));

CREATE TABLE task (
    id                        text PRIMARY KEY,
    brand_id                  text        NOT NULL,
    state                     text        NOT NULL,
    version                   bigint      NOT NULL DEFAULT 1,
    content                   jsonb       NOT NULL,
    -- NULL in a draft.
    frozen_policy             jsonb,
    -- `request_id` of the PublishTask that published it; a repeated request is recognised by it.
    publish_request_id        text,
    -- False between publication and the start of the workflow; a periodic job starts missing ones.
    has_workflow              boolean     NOT NULL DEFAULT false,
    -- Number of the latest transition recorded from the workflow.
    sequence                  bigint      NOT NULL DEFAULT 0,
    selected_count            integer     NOT NULL DEFAULT 0,
    create_time               timestamptz NOT NULL,
    update_time               timestamptz NOT NULL,
    publish_time              timestamptz,
    -- Columns that ListTasks filters and orders by; derived from `content`.
    application_deadline_time timestamptz NOT NULL,
    submission_deadline_time  timestamptz NOT NULL,
    -- Numbers of services.tasks.listing.domain.Facet.
    facets                    smallint[]  NOT NULL,
    currency                  text GENERATED ALWAYS AS
        (coalesce(content -> 'reward' ->> 'currency', '')) STORED,
    reward_minor              bigint GENERATED ALWAYS AS
        (coalesce((content -> 'reward' ->> 'amount_minor')::bigint, 0)) STORED,
    search_vector             tsvector GENERATED ALWAYS AS
        (strip(to_tsvector('simple', search_text(
            (content ->> 'title') || ' ' || (content ->> 'description'))))) STORED,
    CHECK ((state = 'DRAFT') = (frozen_policy IS NULL))
);

-- A page of ListTasks is a range scan of one of these, over all tasks in a state or over one
-- brand's. The INCLUDE columns let filters be checked in the index: only the rows of the page are
-- fetched from the table.
CREATE INDEX task_by_create_time ON task (state, create_time, id)
    INCLUDE (facets, currency, reward_minor, application_deadline_time);
CREATE INDEX task_by_application_deadline ON task (state, application_deadline_time, id)
    INCLUDE (facets, currency, reward_minor);
CREATE INDEX task_by_submission_deadline ON task (state, submission_deadline_time, id)
    INCLUDE (facets, currency, reward_minor, application_deadline_time);
CREATE INDEX task_by_reward ON task (state, currency, reward_minor, id)
    INCLUDE (facets, application_deadline_time);
CREATE INDEX task_by_brand ON task (brand_id, state, create_time, id)
    INCLUDE (facets, currency, reward_minor, application_deadline_time);
CREATE INDEX task_by_brand_application_deadline
    ON task (brand_id, state, application_deadline_time, id)
    INCLUDE (facets, currency, reward_minor);
CREATE INDEX task_by_brand_submission_deadline
    ON task (brand_id, state, submission_deadline_time, id)
    INCLUDE (facets, currency, reward_minor, application_deadline_time);
CREATE INDEX task_by_brand_reward ON task (brand_id, state, currency, reward_minor, id)
    INCLUDE (facets, application_deadline_time);

-- Selective filters use these instead and sort what they find. One partial index per state acts as
-- if the state were the leading column, which GIN does not offer for text. `fastupdate = off`:
-- otherwise every search would scan the list of pending entries.
CREATE INDEX task_facets_draft ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'DRAFT';
CREATE INDEX task_facets_open ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'OPEN';
CREATE INDEX task_facets_selecting ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'SELECTING';
CREATE INDEX task_facets_in_progress ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'IN_PROGRESS';
CREATE INDEX task_facets_closed ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'CLOSED';
CREATE INDEX task_facets_cancelled ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'CANCELLED';
CREATE INDEX task_facets_unfilled ON task USING gin (facets, search_vector)
    WITH (fastupdate = off) WHERE state = 'UNFILLED';

CREATE INDEX task_without_workflow ON task (id) WHERE state = 'OPEN' AND NOT has_workflow;

-- Index-only scans need recently vacuumed pages, and plans need current statistics: the default
-- thresholds of 10 % and 20 % of a large table come too late for the newest tasks.
ALTER TABLE task SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

-- Transitions of published tasks; the first one is their publication.
CREATE TABLE task_transition (
    task_id         text        NOT NULL REFERENCES task (id),
    sequence        bigint      NOT NULL,
    event           text        NOT NULL,
    -- NULL in the first: the task was a draft.
    from_state      text,
    to_state        text        NOT NULL,
    actor           text        NOT NULL,
    comment         text        NOT NULL,
    time            timestamptz NOT NULL,
    -- Applications selected by this transition.
    application_ids text[]      NOT NULL,
    PRIMARY KEY (task_id, sequence)
);

CREATE TABLE application (
    id          text PRIMARY KEY,
    task_id     text        NOT NULL REFERENCES task (id),
    creator_id  text        NOT NULL,
    state       text        NOT NULL,
    message     text        NOT NULL,
    -- `selection.claim` of every selection in progress that includes this application; NULL when
    -- there is none. It cannot be withdrawn while any of them is being decided.
    claims      uuid[],
    -- Whether the creator was notified that it lapsed.
    is_notified boolean     NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);

-- A creator may apply again after withdrawing, but has at most one other application per task.
CREATE UNIQUE INDEX application_once ON application (task_id, creator_id)
    WHERE state <> 'WITHDRAWN';
CREATE INDEX application_by_task ON application (task_id, create_time, id);
CREATE INDEX application_by_creator ON application (creator_id, create_time, id);

-- Selections sent to a task's workflow whose outcome is not known. One that a crash left behind is
-- sent again from here under the same request id. It lists all of its applications, because another
-- selection may take some of them meanwhile.
CREATE TABLE selection (
    task_id         text        NOT NULL REFERENCES task (id),
    -- `request_id` of the SelectApplications, which also marks the applications it claims.
    claim           uuid        NOT NULL,
    actor           text        NOT NULL,
    application_ids text[]      NOT NULL,
    -- When it was last sent.
    attempt_time    timestamptz NOT NULL,
    PRIMARY KEY (task_id, claim)
);

CREATE INDEX selection_by_attempt_time ON selection (attempt_time);

CREATE TABLE assignment (
    id                text PRIMARY KEY,
    task_id           text        NOT NULL REFERENCES task (id),
    brand_id          text        NOT NULL,
    creator_id        text        NOT NULL,
    state             text        NOT NULL,
    sequence          bigint      NOT NULL,
    -- liaison.tasks.v1.Assignment, serialized, as GetAssignment returns it.
    message           bytea       NOT NULL,
    reward_is_overdue boolean     NOT NULL DEFAULT false,
    create_time       timestamptz NOT NULL
);

-- Every combination of filters that ListAssignments is used with has an index in its order.
CREATE INDEX assignment_by_time ON assignment (create_time DESC, id DESC);
CREATE INDEX assignment_by_state ON assignment (state, create_time DESC, id DESC);
CREATE INDEX assignment_by_task ON assignment (task_id, create_time DESC, id DESC);
CREATE INDEX assignment_by_brand ON assignment (brand_id, create_time DESC, id DESC);
CREATE INDEX assignment_by_brand_and_state ON assignment
    (brand_id, state, create_time DESC, id DESC);
CREATE INDEX assignment_by_creator ON assignment (creator_id, create_time DESC, id DESC);
CREATE INDEX assignment_by_creator_and_state ON assignment
    (creator_id, state, create_time DESC, id DESC);
-- Rows are few: the state is not needed in the index.
CREATE INDEX assignment_overdue ON assignment (create_time DESC, id DESC) WHERE reward_is_overdue;

-- Transitions of assignments.
CREATE TABLE assignment_transition (
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
