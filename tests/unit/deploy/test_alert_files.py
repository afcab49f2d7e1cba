"""Alert files are valid YAML, also where promtool is not installed to say so."""

from pathlib import Path

import pytest
import yaml

FILES = sorted((Path(__file__).parents[3] / "deploy/observability").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_alert_file_is_valid_yaml(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert content["tests" if file.name.endswith(".test.yaml") else "groups"]
