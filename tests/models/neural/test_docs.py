"""The table of settings in docs/explanation/networks.md is the config."""

import re
from dataclasses import fields
from pathlib import Path

from gbdt_pwiser.models import NetworkSettings

DOCS = (Path(__file__).parents[3] / "docs" / "explanation" / "networks.md").read_text(encoding="utf-8")


def test_every_setting_is_listed():
    table = DOCS.split("| key | default |")[2].split("\n\n")[0]
    named = [
        name for cell in re.findall(r"^.*$", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert sorted(named) == sorted(field.name for field in fields(NetworkSettings))
