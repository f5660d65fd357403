"""Objects by URL, from a server of S3 on this machine."""

from __future__ import annotations

import gzip
import io
import logging
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.sources import load, load_description, prepare

server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

ROWS = 60
TEXT_LABELS = 'click = "click"\nconversion = "buy"\ngroup = "user"\ncategorical = ["shop"]\n'


def frame(seed: int) -> pl.DataFrame:
    place = pl.int_range(ROWS, eager=True)
    return pl.DataFrame(
        {
            "click": (place % 3 > 0).cast(int),
            "buy": (place % 3 == 2).cast(int),
            "x": place * 0.5 + seed,
            "shop": ("s" + (place % (3 + seed)).cast(str)),
            "user": place // 4 + 100 * seed,
        }
    )


Put = Callable[[str, bytes], None]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def put(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put an object into the bucket `clicks`; the environment has the credentials."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    client.create_bucket(Bucket="clicks")
    return lambda key, content: client.put_object(Bucket="clicks", Key=key, Body=content) and None


def parquet(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def described(folder: Path, source: str, keys: str = TEXT_LABELS) -> Path:
    (folder / "d.toml").write_text(f"source = {source}\n{keys}")
    return folder / "d.toml"


CONTENTS = {
    ".parquet": parquet,
    ".csv": lambda table: table.write_csv().encode(),
    ".csv.gz": lambda table: gzip.compress(table.write_csv().encode()),
}


@pytest.mark.parametrize("suffix", CONTENTS)
@pytest.mark.parametrize(
    "source",
    ['"s3://clicks/log"', '"s3://clicks/log/"', '{ glob = "s3://clicks/log/day=*/part-*SUFFIX" }'],
)
def test_parts_with_keys(tmp_path: Path, put: Put, suffix: str, source: str) -> None:
    for day in (2, 1):
        content = CONTENTS[suffix](frame(day))
        put(f"log/day={day}/part-0{suffix}", content)
        local = tmp_path / "log" / f"day={day}" / f"part-0{suffix}"
        local.parent.mkdir(parents=True)
        local.write_bytes(content)
    put("log/_SUCCESS", b"")
    put(f"other/day=3/part-0{suffix}", CONTENTS[suffix](frame(3)))
    toml = described(tmp_path, source.replace("SUFFIX", suffix))
    folder = prepare(toml, data_dir=tmp_path / "sets", progress=False)
    found = load(toml, data_dir=tmp_path / "sets").exposures
    prepare(described(tmp_path, '"log"'), data_dir=tmp_path / "sets", progress=False)
    wanted = load(toml, data_dir=tmp_path / "sets").exposures
    assert len(found) == 2 * ROWS
    assert found.features.columns == ["x", "shop", "day"]
    assert found.features.equals(wanted.features)  # type: ignore[arg-type]
    assert found.grade.tolist() == wanted.grade.tolist()
    assert folder.is_dir()


@pytest.mark.parametrize("suffix", CONTENTS)
def test_one_object(tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    """It is prepared when it is loaded, and read again only when one prepares again."""
    put(f"day=1/d{suffix}", CONTENTS[suffix](frame(0)))
    toml = described(tmp_path, f'["s3://clicks/day=1/d{suffix}"]')
    assert load(toml, data_dir=tmp_path / "sets").exposures.features.columns == ["x", "shop"]
    assert "d.toml is of objects; it is prepared in" in capsys.readouterr().err
    put(f"day=1/d{suffix}", CONTENTS[suffix](frame(0).head(30)))
    assert len(load(toml, data_dir=tmp_path / "sets").exposures) == ROWS
    prepare(toml, data_dir=tmp_path / "sets", progress=False)
    assert len(load(toml, data_dir=tmp_path / "sets").exposures) == 30
    with pytest.raises(InputError, match="is no file; prepare the description, or load it by its path"):
        load_description(toml)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('"s3://clicks/gone.parquet"', "s3://clicks/gone.parquet cannot be read: .*gone.parquet not found"),
        ('"s3://clicks/gone.csv"', "s3://clicks/gone.csv cannot be read: .*gone.csv not found"),
        ('"s3://nobodys/d.parquet"', "s3://nobodys/d.parquet cannot be read: .*404"),
        ('"s3://nobodys/d.csv"', "s3://nobodys/d.csv cannot be read: .*404"),
        ('"s3://clicks/empty/"', "s3://clicks/empty/ has no objects of .parquet, .csv or .tsv; correct it"),
        ('{ glob = "s3://clicks/x*.csv" }', "has no objects of .parquet, .csv or .tsv; correct it"),
        ('{ glob = "s3://clicks/x*.parquet" }', "has no objects of .parquet, .csv or .tsv; correct it"),
        ('"s3://clicks/day=*/"', "has signs of a pattern; write it as { glob = 's3://clicks/day="),
        ('"hdfs://name/d.parquet"', "source hdfs://name/d.parquet is of a kind that is not read; copy it to"),
        ('"s3://clicks/bad.parquet"', "s3://clicks/bad.parquet cannot be read"),
        ('"s3://clicks/short.csv"', "source s3://clicks/short.csv: line 3 has 1 fields where the header has"),
    ],
)
def test_what_is_refused(tmp_path: Path, put: Put, source: str, message: str) -> None:
    put("bad.parquet", b"PAR1 and no more")
    put("short.csv", b"click,buy\n1,0\n1\n")
    toml = described(tmp_path, source)
    with pytest.raises(InputError, match=message) as caught:
        prepare(toml, data_dir=tmp_path / "sets", progress=False)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "sets").rglob("*"))


@pytest.mark.parametrize("name", ["d.parquet", "d.csv"])
def test_without_rights(tmp_path: Path, put: Put, endpoint: str, name: str) -> None:
    put(name, CONTENTS[name.removeprefix("d")](frame(0)))
    ask_for_rights(endpoint, "0")
    try:
        with pytest.raises(InputError, match=r"403.*; correct the URL, or set region and credentials"):
            prepare(described(tmp_path, f'"s3://clicks/{name}"'), data_dir=tmp_path, progress=False)
    finally:
        ask_for_rights(endpoint, "inf")


def ask_for_rights(endpoint: str, after: str) -> None:
    """Let the server refuse keys that it does not know, after so many requests."""
    asked = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", after.encode(), {"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(asked).close()
