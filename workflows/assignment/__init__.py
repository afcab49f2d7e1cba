"""One creator's work on a task, from selection to completion."""
