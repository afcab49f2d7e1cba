-- Selections that are begun and not known to have ended: one that a crash left is finished from
-- here, with the same request. Whole, since of its applications another may take some meanwhile.
CREATE TABLE selection (
    task_id         text        NOT NULL REFERENCES task (id),
    -- The request that selects, and what its applications are claimed by.
    claim           uuid        NOT NULL,
    actor           text        NOT NULL,
    application_ids text[]      NOT NULL,
    -- When it was tried last.
    try_time        timestamptz NOT NULL,
    PRIMARY KEY (task_id, claim)
);

CREATE INDEX selection_by_try_time ON selection (try_time);

INSERT INTO selection
SELECT task.id, claim, 'brands/' || task.brand_id, array_agg(application.id ORDER BY application.id),
       now()
  FROM application JOIN task ON task.id = application.task_id, unnest(claims) AS claim
 GROUP BY task.id, claim;
