"""The platform's own feed."""
