"""Compares docs/rules.md with the code and the tests: where each rule is enforced and proved.

A proof is a test that is marked with `@pytest.mark.rule("R28")`, runs by default and goes through
the public API. Tests are collected, not run. docs/rules.md alone has the text of the rules and the
state of the parts.
"""
