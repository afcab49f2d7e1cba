"""The tasks service: tasks that brands publish, creators' applications, and the read model of
assignments."""
