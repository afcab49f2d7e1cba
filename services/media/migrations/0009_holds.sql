-- What a revision holds is held for whoever is shown it, too.
CREATE INDEX hold_by_holder ON hold (holder);
