"""What docs/explanation/networks.md prints runs, and its table of settings is the config."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gbdt_pwiser.models import NetworkSettings

DOCS = (Path(__file__).parents[3] / "docs" / "explanation" / "networks.md").read_text(encoding="utf-8")


def test_the_code_runs(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict = {}
    exec(compile(block, "docs/explanation/networks.md", "exec"), names)
    assert (names["predictions"].pctcvr > 0).all()


def test_every_setting_is_listed():
    table = DOCS.split("| key | default |")[2].split("\n\n")[0]
    named = [
        name for cell in re.findall(r"^.*$", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert sorted(named) == sorted(field.name for field in fields(NetworkSettings))
