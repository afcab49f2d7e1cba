"""Holds docs/rules.md against the code and the tests: where each rule is enforced, what proves it.

A proof is a test that carries `@pytest.mark.rule("R28")`, runs by default and goes through the
public API. Tests are collected, never run. The rules' words, and which parts are built, are in
docs/rules.md alone.
"""
