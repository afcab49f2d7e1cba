"""The embedded stack: real servers from wheels, started, watched and stopped by one supervisor.

For development, the demo and the tests. Production has its own manifests under deploy/.
"""
