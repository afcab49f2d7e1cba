"""What every process of the platform needs, one concept a module."""
