"""`gbdt-pwiser datasets` as a user meets it."""

import json


def test_datasets(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released)
    code, out, err = run("datasets")
    assert (code, err) == (0, "")
    states = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()}
    assert list(states) == ["us", "nl", "fr", "es", "ccp", "simulated"]
    # A third of 310 searches of 6 items is of each grade.
    assert states["us"] == "ready         1,860 exposures, 1,240 clicks, 620 conversions"
    assert states["nl"].startswith("not prepared ")
    assert states["simulated"].startswith("ready ")


def test_datasets_as_json(run, released, data_dir):
    run("prepare", "--dataset", "us", "--source", released, "--data-dir", data_dir.parent / "other")
    code, out, err = run("datasets", "--json", "--data-dir", data_dir.parent / "other")
    assert (code, err) == (0, "")
    us, nl, *_, simulated = json.loads(out)
    assert us["path"] == str(data_dir.parent / "other" / "us")
    assert (us["prepared"], us["rows"], us["clicks"], us["conversions"]) == (True, 1860, 1240, 620)
    assert (nl["name"], nl["prepared"], nl["rows"]) == ("nl", False, None)
    assert (simulated["name"], simulated["prepared"], simulated["path"]) == ("simulated", True, None)
    _, elsewhere, _ = run("datasets", "--json")
    assert not json.loads(elsewhere)[0]["prepared"]
