"""The embedded stack: real servers from wheels, run by one supervisor, for development, the demo
and the tests.
"""
