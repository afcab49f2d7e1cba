"""The disputes service: one side of an assignment opens a dispute, mediators decide it."""
