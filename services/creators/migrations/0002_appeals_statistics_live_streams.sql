ALTER TABLE creator
    DROP CONSTRAINT creator_state_check,
    ADD CONSTRAINT creator_state_check
        CHECK (state IN ('REGISTERED', 'PENDING_REVIEW', 'ADMITTED', 'REFUSED', 'APPEALED')),
    ADD COLUMN refused_by              text NOT NULL DEFAULT '',
    ADD COLUMN appeal                  jsonb,
    ADD COLUMN statistics              jsonb,
    ADD COLUMN live_stream_application jsonb;

-- Reasons have been free text until now: what is none of today's codes is told in words.
UPDATE creator
   SET refusals = (
           SELECT jsonb_agg(
                      CASE WHEN refusal ->> 'code' IN (
                               'POSTS_TOO_FEW', 'FOLLOWERS_TOO_FEW', 'CONTENT_NOT_INTERESTING',
                               'PRODUCT_LINKS_MISSING', 'PICTURES_POOR', 'PROFILE_NOT_APPEALING')
                           THEN refusal
                           ELSE jsonb_build_object(
                               'code', 'OTHER', 'rule_id', 'R43',
                               'description',
                               concat_ws(': ', refusal ->> 'code',
                                         nullif(refusal ->> 'description', '')))
                      END ORDER BY place)
             FROM jsonb_array_elements(refusals) WITH ORDINALITY AS one (refusal, place)),
       refused_by = CASE WHEN refusals @> '[{"code": "POSTS_TOO_FEW"}]'
                           OR refusals @> '[{"code": "FOLLOWERS_TOO_FEW"}]'
                         THEN 'system' ELSE 'staff/unrecorded' END
 WHERE state = 'REFUSED';

UPDATE creator
   SET statistics = jsonb_build_object(
           'post_count', account -> 'post_count',
           'follower_count', account -> 'follower_count',
           'observe_time', update_time)
 WHERE account IS NOT NULL;

-- Access came with the admission; now it has an application of its own.
UPDATE creator
   SET live_stream_application = jsonb_build_object(
           'experience', '', 'sample_links', '[]'::jsonb, 'apply_time', update_time,
           'state', 'GRANTED', 'comment', 'Granted with the admission',
           'decided_by', 'staff/unrecorded', 'decide_time', update_time)
 WHERE has_live_stream_access;

ALTER TABLE creator
    DROP COLUMN has_live_stream_access,
    ADD CHECK ((state IN ('REFUSED', 'APPEALED')) = (refused_by <> '')),
    ADD CHECK ((account IS NULL) = (statistics IS NULL)),
    ADD CHECK (state <> 'APPEALED' OR appeal IS NOT NULL);

-- The operators' queues.
CREATE INDEX creator_by_state ON creator (state, create_time, id);
CREATE INDEX creator_by_live_stream_state
    ON creator ((live_stream_application ->> 'state'), create_time, id)
    WHERE live_stream_application IS NOT NULL;

-- Everything that was ever decided, numbered for each creator. Rows are only ever added.
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

-- What has been decided so far; of each creator only the latest is known.
INSERT INTO creator_decision
       (creator_id, number, kind, decided_by, decide_time, comment, refusals, level, account)
SELECT id, 1, state, CASE state WHEN 'REFUSED' THEN refused_by ELSE 'staff/unrecorded' END,
       update_time, '', refusals, level, account
  FROM creator
 WHERE state IN ('ADMITTED', 'REFUSED');
