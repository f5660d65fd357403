"""Build what would be released, and use it as those do who install it.

    python -m release.check [--extra report --extra neural ...]

The sdist and the wheel are built from the tracked files and looked through; the wheel is installed into empty
environments, without an extra and with each one alone, and runs what `release/smoke.py` has of it. Only when
all of that went well are both files laid into `dist/`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from gbdt_pwiser._version import __version__
from release.environments import ROOT, as_pip, environment

EXTRAS = ("report", "distributed", "export", "neural")  # those of users; the others are for working on this
IN_SDIST = ("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml")


def run(*command: object, cwd: Path = ROOT) -> None:
    """Run a command; show what it says only where it fails."""
    done = subprocess.run([*map(str, command)], cwd=cwd, text=True, capture_output=True, env=as_pip())
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def tracked_files(folder: Path) -> None:
    """Lay the tracked files into the folder, as they are now; leftovers of other builds stay out."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)


def contents(wheel: Path) -> dict[str, int]:
    """Return the checksum of every file in a wheel."""
    with zipfile.ZipFile(wheel) as files:
        return {each.filename: each.CRC for each in files.infolist()}


def build(work: Path) -> tuple[Path, Path]:
    """Return the sdist and the wheel that is built from it, both looked through."""
    source, out, direct = work / "source", work / "dist", work / "direct"
    tracked_files(source)
    for target, wanted in ((out, ()), (direct, ("--wheel",))):
        run(sys.executable, "-m", "build", "--installer", "uv", *wanted, "--outdir", target, source)
    (sdist,), (wheel,), (twin,) = out.glob("*.tar.gz"), out.glob("*.whl"), direct.glob("*.whl")
    if contents(wheel) != contents(twin):
        differing = sorted(name for name, _ in contents(wheel).items() ^ contents(twin).items())
        raise SystemExit(f"the wheel of the sdist differs from that of the repository in {differing}")
    with tarfile.open(sdist) as files:
        inside = {name.partition("/")[2] for name in files.getnames()}
    if missing := set(IN_SDIST) - inside:
        raise SystemExit(f"the sdist lacks {sorted(missing)}")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    run(Path(sys.executable).parent / "check-wheel-contents", wheel)
    return sdist, wheel


def main() -> None:
    """Build, check, install, try; then lay both files into dist/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--extra", action="append", choices=EXTRAS, help="only these, and none (all)")
    extras = parser.parse_args().extra or EXTRAS
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert declared == {*EXTRAS, "dev", "docs", "release"}, declared
    heading = f"\n## {__version__} "
    if heading not in (changes := (ROOT / "CHANGELOG.md").read_text()):
        raise SystemExit(f"CHANGELOG.md has no section {__version__}")
    with TemporaryDirectory() as folder:
        work = Path(folder)
        sdist, wheel = build(work)
        print(f"{sdist.name} and {wheel.name}: built, and both wheels are the same", flush=True)
        for extra in ("", *extras):
            place = work / (extra or "none")
            requirement = f"{wheel}[{extra}]" if extra else wheel
            python = environment(place / ".venv", "--constraint", ROOT / "constraints.txt", requirement)
            shutil.copy(ROOT / "release" / "smoke.py", place)  # alone: nothing of the repository is imported
            run(
                python,
                "-I",
                place / "smoke.py",
                *filter(None, [extra]),
                cwd=place,
            )
            print(f"extra {extra or 'none'}: installed alone, and it works", flush=True)
            shutil.rmtree(place)
        (ROOT / "dist").mkdir(exist_ok=True)
        for file in (sdist, wheel):
            shutil.copy(file, ROOT / "dist")
    if changes.partition(heading)[2].startswith("(unreleased)"):
        print(f"CHANGELOG.md still calls {__version__} unreleased")


if __name__ == "__main__":
    main()
