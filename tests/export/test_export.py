"""What is exported where, whatever the format."""

import os
import shutil
import sys

import lightgbm
import pytest

import gbdt_pwiser
from gbdt_pwiser.export import export_model
from gbdt_pwiser.objectives import InputError
from tests.command_line import refused
from tests.folders import names, snapshot


def test_the_command(run, saved, tmp_path):
    target = tmp_path / "deep" / "m.txt"
    command = ["export", "--model", saved("lightgbm"), "--format", "native", "--output", target]
    assert run(*command) == (0, f"{target}\n", "")
    first = target.read_bytes()
    assert lightgbm.Booster(model_file=target).num_feature() == 14
    assert run(*command, "--task", "conversion")[0] == 0  # an export takes the place of another
    assert target.read_bytes() != first
    assert names(target.parent) == ["m.txt"]
    gbdt_pwiser.export_model(saved("lightgbm"), target, format="native", task="click")
    assert target.read_bytes() == first


def test_other_files_stay(run, saved, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(saved("lightgbm"), folder)
    (folder / "notes.txt").write_text("mine")
    os.link(folder / "click.txt", folder / "link.txt")
    before = snapshot(folder)
    for name, why in (
        ("notes.txt", "was not written by gbdt-pwiser"),
        ("click.txt", "is a file of the model"),
        ("link.txt", "is a file of the model"),
    ):
        command = ["export", "--model", folder, "--format", "native", "--output", folder / name]
        assert why in refused(run(*command))
    assert snapshot(folder) == before


def test_a_network_is_no_native_file(saved, tmp_path):
    pytest.importorskip("torch")
    for options in ({}, {"task": "conversion"}, {"uncalibrated": True}):
        with pytest.raises(InputError, match=r"a network \(dnn\), and native .*; export to onnx"):
            export_model(saved("dnn"), tmp_path / "m.txt", format="native", **options)
    assert list(tmp_path.iterdir()) == []


def test_formats_and_tasks(saved, tmp_path):
    with pytest.raises(InputError, match=r"unknown format 'onx' \(did you mean onnx\?\)"):
        export_model(saved("lightgbm"), tmp_path / "m", format="onx")
    with pytest.raises(InputError, match="has outputs for both tasks; leave the task out"):
        export_model(saved("lightgbm"), tmp_path / "m.onnx", format="onnx", task="click")


def test_without_the_extra(run, saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = run("export", "--model", saved("lightgbm"), "--format", "onnx", "--output", tmp_path / "m.onnx")
    assert refused(done) == "the format onnx needs onnx, which is missing; pip install 'gbdt-pwiser[export]'"
