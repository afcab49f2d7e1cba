-- Lists of assignments, narrowed in the ways that are asked for: each in the order of an index.

ALTER TABLE assignment ADD COLUMN reward_is_overdue boolean NOT NULL DEFAULT false;

UPDATE assignment SET reward_is_overdue = true
 WHERE state = 'APPROVED'
   AND EXISTS (SELECT FROM transition
                WHERE transition.assignment_id = assignment.id AND event = 'REWARD_OVERDUE');

CREATE INDEX assignment_by_time ON assignment (create_time DESC, id DESC);
CREATE INDEX assignment_by_state ON assignment (state, create_time DESC, id DESC);
CREATE INDEX assignment_by_brand_and_state ON assignment
    (brand_id, state, create_time DESC, id DESC);
CREATE INDEX assignment_by_creator_and_state ON assignment
    (creator_id, state, create_time DESC, id DESC);
-- Few: the state need not be in it.
CREATE INDEX assignment_overdue ON assignment (create_time DESC, id DESC) WHERE reward_is_overdue;
