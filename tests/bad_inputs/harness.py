"""What every refusal of the command line has in common."""

from pathlib import Path


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    """Content of each file below a folder; None for what is none: a folder, a link to nowhere, a device."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def refused(run, folder: Path, *arguments) -> str:
    """Return the message of a command that ends in one line with code 2 and leaves the folder as it was."""
    before = snapshot(folder)
    code, out, err = run(*arguments)
    lines = err.splitlines()
    assert code == 2, f"exit code {code}: {err}"
    assert len(lines) == 1, err
    assert lines[0].startswith("gbdt-pwiser: "), err
    assert out == ""
    assert snapshot(folder) == before
    return lines[0].removeprefix("gbdt-pwiser: ")
