"""What a description of small data is refused for, a block at a time it is refused for as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load_description, prepare
from gbdt_pwiser.sources.text import delimited, scan
from tests.bad_inputs.test_descriptions import CASES, write

# What only the split of the whole finds, or a cut of test alone words in another way.
OF_THE_SPLIT = {"no time to split by", "two times", "one group", "two rows", "one class"}


@pytest.mark.parametrize("case", [case for case in CASES if case not in OF_THE_SPLIT])
def test_same_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    toml, files, message = CASES[case]
    for name, content in {"d.toml": toml, **files}.items():
        write(tmp_path / name, content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scan, "BLOCK", 7)
    monkeypatch.setattr(delimited, "BLOCK", 90)
    with pytest.raises(InputError) as whole:
        load_description("d.toml")
    with pytest.raises(InputError) as in_blocks:
        prepare("d.toml", data_dir=tmp_path / "sets", progress=False)
    assert str(in_blocks.value) == str(whole.value)
    assert message in str(whole.value)
    assert not list((tmp_path / "sets").rglob("*"))
