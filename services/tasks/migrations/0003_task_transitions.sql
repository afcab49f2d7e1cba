-- What happened to each published task, once.
CREATE TABLE task_transition (
    task_id         text        NOT NULL REFERENCES task (id),
    sequence        bigint      NOT NULL,
    event           text        NOT NULL,
    -- NULL for the first: it was a draft.
    from_state      text,
    to_state        text        NOT NULL,
    actor           text        NOT NULL,
    comment         text        NOT NULL,
    time            timestamptz NOT NULL,
    -- Those that were selected by it.
    application_ids text[]      NOT NULL,
    PRIMARY KEY (task_id, sequence)
);

-- From now on publishing counts as the first.
INSERT INTO task_transition
SELECT id, 1, 'PUBLISHED', NULL, 'OPEN', 'brands/' || brand_id, '', publish_time, '{}'
  FROM task WHERE state <> 'DRAFT';
UPDATE task SET sequence = sequence + 1 WHERE state <> 'DRAFT';

-- Several selections may want the same application at once; that one of them lets go of it must
-- not free it for a withdrawal while another is still being decided.
ALTER TABLE application ADD COLUMN claims uuid[];
UPDATE application SET claims = ARRAY[claim] WHERE claim IS NOT NULL;
ALTER TABLE application DROP COLUMN claim;
