"""What is guessed of real files; skipped where they are not."""

import shutil

import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources.guess import describe
from gbdt_pwiser.sources.registry import load
from tests.sources.helpers import shared_data

KUAIRAND_LEAKS = {
    *("play_time_ms", "profile_stay_time", "comment_stay_time", "is_profile_enter", "long_view", "is_hate"),
    "split",
}
LABELS = ["is_like", "is_follow", "is_comment", "is_forward"]


def test_kuairand(tmp_path):
    source = shared_data("kuairand", "impressions.parquet")
    shutil.copy(source, tmp_path)
    found = describe(tmp_path / source.name, folder=tmp_path)
    assert found.keys["click"] == "is_click"
    engaged = " or ".join(f"{name} = 1" for name in LABELS)
    assert found.keys["conversion"] == f"is_click = 1 and ({engaged})"
    assert (found.keys["group"], found.keys["time"]) == ("user_id", "time_ms")
    assert set(found.ignored) >= KUAIRAND_LEAKS
    assert not {"is_click", *LABELS} & {*found.categorical, *found.numbers}
    # As in docs/guides/kuairand.toml, which people wrote.
    assert {"video_id", "author_id", "music_id", "date", "upload_dt", "video_duration"} <= set(found.ignored)
    assert {"tab", "music_type", "onehot_feat4", "tag", "upload_type"} <= set(found.categorical)
    assert (found.rows, found.looked_at) == (222_444, 100_000)
    (tmp_path / "guess.toml").write_text(found.toml())
    exposures = load(tmp_path / "guess.toml").exposures
    assert (int(exposures.click.sum()), int(exposures.conversion.sum())) == (100_007, 3_942)


def test_aliexpress(tmp_path):
    found = describe(shared_data("aliexpress", "processed", "train.csv"), folder=tmp_path)
    assert (found.keys["click"], found.keys["conversion"]) == ("click", "conversion")
    assert found.keys["group"] == "search_id"
    assert "time" not in found.keys
    assert list(found.categorical) == [f"categorical_{i}" for i in range(1, 17)]
    assert found.ignored == dict.fromkeys([f"numerical_{i}" for i in (58, 59, 60)], "constant")
    assert len(found.numbers) == 60


@pytest.mark.parametrize(
    ("name", "codes", "numbers"),
    [("torch_rechub_ali_ccp_train_sample.csv", 23, 4), ("paddlerec_aitm_train.csv", 17, 0)],
)
def test_ali_ccp(tmp_path, name, codes, numbers):
    found = describe(shared_data("ali_ccp", name), folder=tmp_path)
    assert found.keys["click"] == "click"
    assert "purchase" in found.keys["conversion"]
    assert len(found.categorical) == codes
    assert len(found.numbers) == numbers


@pytest.mark.parametrize(
    ("folder", "name", "remedy"),
    [
        (
            "ali_ccp",
            "paddlerec_aitm_test.csv",
            "Ali-CCP file goes through `gbdt-pwiser prepare --dataset ccp",
        ),
        ("ali_ccp", "sample_skeleton_train.reconstructed.csv", "prepare --dataset ccp"),
        ("ali_ccp", "common_features_train.reduced.csv", "prepare --dataset ccp"),
        (
            "aliexpress/raw",
            "us_user_train.csv",
            "AliExpress file goes through `gbdt-pwiser prepare --dataset us",
        ),
        ("aliexpress/raw", "us_item_test.csv", "prepare --dataset us"),
    ],
)
def test_released_files_have_no_header(folder, name, remedy):
    with pytest.raises(InputError, match="looks like it has no header") as told:
        describe(shared_data(folder, name))
    assert remedy in str(told.value)
    assert "\n" not in str(told.value)
