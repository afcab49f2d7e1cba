"""The `liaison` command."""
