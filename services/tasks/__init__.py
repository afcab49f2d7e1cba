"""Tasks, applications and assignments: what brands ask for and creators do."""
