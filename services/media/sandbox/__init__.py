"""Confined worker processes for untrusted bytes, and the framing that they speak."""
