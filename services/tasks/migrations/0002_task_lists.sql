-- What tasks are listed by, beside their content. Of `facets` see services/tasks/listing.py.

-- Punctuation becomes blanks: what it joins ("either/or", "hands-on", "3.5") are words of their own
-- for who searches. The same is done to what is searched for.
CREATE FUNCTION searched(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN translate(normalize($1, NFKC), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));

ALTER TABLE task
    ADD COLUMN submission_deadline_time timestamptz,
    ADD COLUMN facets smallint[],
    ADD COLUMN currency text GENERATED ALWAYS AS
        (coalesce(content -> 'reward' ->> 'currency', '')) STORED,
    ADD COLUMN reward_minor bigint GENERATED ALWAYS AS
        (coalesce((content -> 'reward' ->> 'amount_minor')::bigint, 0)) STORED,
    ADD COLUMN words tsvector GENERATED ALWAYS AS
        (strip(to_tsvector('simple', searched(
            (content ->> 'title') || ' ' || (content ->> 'description'))))) STORED;

UPDATE task SET
    submission_deadline_time = (content ->> 'submission_deadline_time')::timestamptz,
    facets = ARRAY(
        SELECT number::smallint
          FROM (VALUES ('VIDEO', 1), ('LIVE_STREAM', 2), ('ARTICLE', 3), ('LIST', 4),
                       ('CREATIVES', 5), ('TRANSLATION', 6)) AS content_type (name, number)
         WHERE content -> 'content_types' ? name
        UNION ALL
        SELECT number::smallint
          FROM (VALUES ('INTERNAL', 11), ('EXTERNAL', 12)) AS account_class (name, number)
         WHERE content -> 'account_classes' = '[]' OR content -> 'account_classes' ? name
        UNION ALL
        SELECT generate_series(number, 26)::smallint
          FROM (VALUES ('NEWCOMER', 21), ('JUNIOR', 22), ('INTERMEDIATE', 23), ('ADVANCED', 24),
                       ('EXPERT', 25), ('STAR', 26)) AS level (name, number)
         WHERE content ->> 'minimum_level' = name
        UNION ALL
        SELECT 31::smallint
         WHERE NOT content -> 'content_types' ? 'LIVE_STREAM'
            OR content ->> 'live_stream_channel' = 'BRAND_ACCOUNT'
        UNION ALL
        SELECT 41::smallint  -- no task gave a product so far
    );

ALTER TABLE task
    ALTER COLUMN submission_deadline_time SET NOT NULL,
    ALTER COLUMN facets SET NOT NULL;

-- A page is a walk along one of these, over all tasks in a state or those of one brand. What a
-- predicate may leave out on the way is in the index: only the tasks of the page are looked up.
DROP INDEX task_by_state, task_by_brand;
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

-- What is rare is found here instead, and sorted. One for each state, as if it led with it; without
-- a list of entries to be merged later, which every search would have to read.
CREATE INDEX task_facets_draft ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'DRAFT';
CREATE INDEX task_facets_open ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'OPEN';
CREATE INDEX task_facets_selecting ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'SELECTING';
CREATE INDEX task_facets_in_progress ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'IN_PROGRESS';
CREATE INDEX task_facets_closed ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'CLOSED';
CREATE INDEX task_facets_cancelled ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'CANCELLED';
CREATE INDEX task_facets_unfilled ON task USING gin (facets, words)
    WITH (fastupdate = off) WHERE state = 'UNFILLED';

-- The indexes answer alone only for what was vacuumed since it changed, and are chosen by what was
-- counted last: the usual tenth or fifth of a large table is too late for the newest tasks.
ALTER TABLE task SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
