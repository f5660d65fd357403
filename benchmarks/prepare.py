"""Speed and memory of `prepare` on generated raw files.

    python -m benchmarks.prepare [--dataset us] [--rows 2000000] [--json FILE]

Writes raw files in the released layout (a quarter as many rows again for test) and prepares them in a
process of its own: rows a second by the clock and by the CPU time of that process, and its peak memory.
`--dataset ccp` does the same with Ali-CCP files. POLARS_MAX_THREADS limits the threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from gbdt_pwiser.data.prepared import Schema
from gbdt_pwiser.sources.generate import write_ali_ccp, write_aliexpress

PREPARE = """
from gbdt_pwiser.cli import main
main()
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def measure(dataset: str, rows: int, history: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="gbdt-pwiser-prepare-") as scratch:
        raw, out = Path(scratch, "raw"), Path(scratch, "out")
        if dataset == "ccp":
            write_ali_ccp(raw, rows, history=history)
        else:
            write_aliexpress(raw, rows, country=dataset)
        size = sum(path.stat().st_size for path in raw.iterdir())
        command = [sys.executable, "-c", PREPARE, "prepare", "--dataset", dataset]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--source", raw, "--data-dir", out], check=True, stdout=subprocess.PIPE, text=True
        )
        wall = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)  # the one child there is
        schema = Schema.read(out / dataset)
        written = sum(part.rows + part.dropped for part in (schema.train, schema.test))
        parquet = sum(path.stat().st_size for path in (out / dataset).iterdir())
    cpu = used.ru_utime + used.ru_stime
    return {
        "dataset": dataset,
        "rows": written,
        "source_mb": round(size / 1e6),
        "parquet_mb": round(parquet / 1e6),
        "seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "rows_per_second": round(written / wall),
        "rows_per_cpu_second": round(written / cpu),
        "peak_mib": round(int(done.stdout.split()[-1]) / 1024),
        "threads": pl.thread_pool_size(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="us", choices=["us", "nl", "fr", "es", "ccp"])
    parser.add_argument("--rows", type=int, default=2_000_000, help="training rows")
    parser.add_argument("--history", type=int, default=130, help="ccp: mean length of a user's histories")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    record = measure(arguments.dataset, arguments.rows, arguments.history)
    print("\n".join(f"{key:<20} {value}" for key, value in record.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
