"""RecordService: the read model of tasks, applications and assignments, written by workflow
activities."""
