"""The services: each its own process, schema and login. They never import each other."""
