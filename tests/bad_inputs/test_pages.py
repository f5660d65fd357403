"""What a description cannot say of the page: refused in one line, before anything is written."""

import pytest

from tests.bad_inputs.harness import refused
from tests.bad_inputs.test_descriptions import TINY, TOML, column, table, write

PAGED = TOML + 'group = "x"\n'
CASES = {
    # ---- the description itself
    "relative is a text": (TOML + 'relative = "x"\n', {}, "relative is 'x'; make it a list of strings"),
    "relative to nothing": (TOML + 'relative = ["x"]\n', {}, "relative is x and there is no group; name the"),
    "relative twice": (
        TOML + 'group = "v"\nrelative = ["x", "x"]\n', {}, "relative names x more than once; name each",
    ),
    "position is a list": (TOML + 'position = ["x"]\n', {}, "position is ['x']; make it a string"),
    "served without a position": (
        TOML + "position_at_serving = 1\n", {}, "position_at_serving is 1 and there is no position; name",
    ),
    **{
        f"served as {value}": (
            TOML + f'position = "x"\nposition_at_serving = {value}\n', {}, f"{told}; make it a whole number",
        )
        for value, told in [("'1'", "is '1'"), ("nan", "is nan"), ("true", "is True"), ("1.5", "is 1.5")]
    },
    "served far off": (
        TOML + 'position = "x"\nposition_at_serving = 99999999\n', {}, "give a place on the page, as 1",
    ),
    # ---- columns
    "no such relative": (
        PAGED + 'relative = ["usr"]\n', {"d.csv": column("1", "user")}, "did you mean user?",
    ),
    **{
        f"relative {what}": (
            PAGED + f"relative = ['{name}']\n{more}", {"d.csv": column("{i}")},
            f"{name} cannot be relative and {what}; remove it from one",
        )
        for what, name, more in [
            ("part of the label", "buy", ""),
            ("the group", "x", ""),
            ("the time", "v", "time = 'v'\n"),
            ("categorical", "v", "categorical = ['v']\n"),
            ("ignored", "v", "ignore = ['v']\n"),
            ("the position", "v", "position = 'v'\n"),
        ]
    },
    "relative texts": (
        PAGED + 'relative = ["v"]\n', {"d.csv": column("a{c}")},
        "relative names v (String), and is for columns of numbers; remove them",
    ),
    "relative and spoilt": (
        PAGED + 'relative = ["v"]\n', {"d.csv": column("{i}", r9="many")}, "column v is numbers but for 1 of",
    ),
    "relative of a name that is taken": (
        PAGED + 'relative = ["v"]\n',
        {"d.csv": table("click,buy,x,v,v_rank", "{c},{b},{i},{i},{i}")},
        "relative adds v_rank, and the source has a column of that name; rename that column, or list it in",
    ),
    "no such position": (TOML + 'position = "rnk"\n', {"d.csv": column("1", "rank")}, "did you mean rank?"),
    **{
        f"position {what}": (
            TOML + f"position = '{name}'\n{more}", {"d.csv": column("{i}")},
            f"{name} cannot be the position and {what}; remove it from one",
        )
        for what, name, more in [
            ("part of the label", "click", ""),
            ("the group", "v", "group = 'v'\n"),
            ("the time", "v", "time = 'v'\n"),
            ("categorical", "v", "categorical = ['v']\nposition_at_serving = 1\n"),
            ("ignored", "v", "ignore = ['v']\n"),
        ]
    },
    "position of texts": (
        TOML + 'position = "v"\nposition_at_serving = 1\n', {"d.csv": column("top")},
        "position v is String; store whole numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("toml", "files", "message"), CASES.values(), ids=CASES)
def test_refused(run, tmp_path, monkeypatch, toml, files, message):
    monkeypatch.chdir(tmp_path)
    for name, content in {"d.toml": toml, **files}.items():
        write(tmp_path / name, content)
    told = refused(run, tmp_path, "train", "--dataset", "d.toml", *TINY, "--output", "out")
    assert message in told
    assert told.startswith("d.toml: ")
