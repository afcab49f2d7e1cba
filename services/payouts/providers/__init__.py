"""Payment providers: the interface, the registry and the implementations."""
