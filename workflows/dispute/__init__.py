"""A dispute: one side's disagreement over an assignment, until a mediator decides."""
