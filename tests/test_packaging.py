"""What is shipped, what it imports, and that no module exists under two names."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from release.check import EXTRAS
from release.environments import translated
from release.lowest import floors
from release.smoke import BROUGHT_BY

ROOT = Path(__file__).parents[1]
LINKED = ("objectives", "tuning")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def folders():
    """Every package on disk, by its name, the two at the top of the repository as parts of gbdt_pwiser."""
    found = {"gbdt_pwiser": ROOT / "gbdt_pwiser"}
    found |= {f"gbdt_pwiser.{name}": ROOT / name for name in LINKED}
    for name, top in list(found.items()):
        for folder, children, files in os.walk(top):
            children[:] = [child for child in children if not Path(folder, child).is_symlink()]
            if "__init__.py" in files:
                parts = Path(folder).relative_to(top).parts
                found[".".join([name, *parts])] = Path(folder)
    return found


def python(code, *, cwd=ROOT):
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)


# ------------------------------------------------------------------------------ the map of packages


def test_every_package_is_listed():
    """One that is missing would be left out of the wheel without a word."""
    assert sorted(SETUPTOOLS["packages"]) == sorted(folders())


def test_every_folder_with_modules_is_a_package():
    for top in (ROOT / "gbdt_pwiser", *(ROOT / name for name in LINKED)):
        for path in top.rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_packages_are_where_the_map_says():
    mapped = SETUPTOOLS["package-dir"]
    assert mapped == {"gbdt_pwiser": "gbdt_pwiser"} | {f"gbdt_pwiser.{name}": name for name in LINKED}


@pytest.mark.parametrize("name", LINKED)
def test_links_are_relative(name):
    link = ROOT / "gbdt_pwiser" / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../{name}"
    assert link.resolve() == ROOT / name


def test_no_module_has_the_name_of_a_library():
    for folder in folders().values():
        for path in folder.glob("*.py"):
            assert path.stem not in ("lightgbm", "xgboost", "torch", "optuna"), path


# ------------------------------------------------------------------------------ imports


@pytest.mark.parametrize("name", LINKED)
def test_there_is_no_second_copy_of_a_module(name):
    done = python(f"import {name}")
    assert done.returncode == 1
    assert f"ImportError: this package was imported as '{name}'" in done.stderr
    assert f"import gbdt_pwiser.{name} instead" in done.stderr
    assert python(f"import gbdt_pwiser.{name}").returncode == 0


# As if the modules named in {blocked} were not installed; what is imported is printed.
IMPORT = """
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
for name in {names}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def imported(names, *, blocked=()):
    """Top-level modules that are loaded after these imports, in a process of its own."""
    done = python(IMPORT.format(names=list(names), blocked=list(blocked)))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(done.stdout.split())


def test_everything_imports_without_the_extras():
    names = [*folders(), "gbdt_pwiser.distributed"]
    extras = [
        "matplotlib",
        "jinja2",
        "torch",
        "cupy",
        "dask",
        "distributed",
        "pandas",
        "onnx",
        "onnxruntime",
        "onnxscript",
    ]
    assert "gbdt_pwiser" in imported(names, blocked=extras)


@pytest.mark.parametrize(
    ("name", "unneeded"),
    [
        ("gbdt_pwiser.objectives", {"xgboost", "lightgbm", "polars", "sklearn", "optuna", "torch", "cupy"}),
        ("gbdt_pwiser.data", {"xgboost", "lightgbm", "sklearn", "optuna"}),
        ("gbdt_pwiser.models", {"optuna", "matplotlib", "jinja2"}),
        # --help and an unknown command answer at once
        ("gbdt_pwiser.cli", {"numpy", "scipy", "polars", "xgboost", "lightgbm", "sklearn", "optuna"}),
        ("gbdt_pwiser.cli._compare", {"xgboost", "lightgbm", "polars", "sklearn", "optuna", "matplotlib"}),
    ],
)
def test_imports_are_no_more_than_needed(name, unneeded):
    loaded = imported([name])
    assert loaded & unneeded == set()
    assert "gbdt_pwiser" in loaded


# ------------------------------------------------------------------------------ the wheel


def require_setuptools():
    """Tests use no network, so the build backend must be installed already, in a version that will do."""
    (requirement,) = PROJECT["build-system"]["requires"]
    wanted = requirement.removeprefix("setuptools>=")
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        found = "0"
    if int(found.partition(".")[0]) < int(wanted):
        pytest.skip(f"needs {requirement} in the environment of the tests, which has {found}")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is built from it, of a copy of the repository."""
    require_setuptools()
    copy, out = tmp_path_factory.mktemp("repository") / "copy", tmp_path_factory.mktemp("dist")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "demo-output")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_every_file_of_the_packages(built):
    with zipfile.ZipFile(built[1]) as wheel:
        shipped = [name for name in wheel.namelist() if ".dist-info/" not in name]
    wanted = [
        f"{package.replace('.', '/')}/{path.name}"
        for package, folder in folders().items()
        for path in folder.iterdir()
        if path.is_file()
    ]
    assert sorted(shipped) == sorted(wanted)
    assert "gbdt_pwiser/py.typed" in shipped
    assert "gbdt_pwiser/report/page.html.j2" in shipped


def test_the_wheel_declares_the_command_and_its_extras(built):
    with zipfile.ZipFile(built[1]) as wheel:
        (entry_points,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        scripts, fields = wheel.read(entry_points).decode(), wheel.read(metadata).decode()
        assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
    assert "[console_scripts]\ngbdt-pwiser = gbdt_pwiser.cli:main\n" in scripts
    for line in ("License-Expression: Apache-2.0", "Provides-Extra: report", "Requires-Python: >=3.11"):
        assert line in fields.splitlines()


def test_the_sdist_holds_the_folders_at_the_top(built):
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= names
    assert not [name for name in names if name.startswith("tests")]  # they need the whole repository
    assert {f"{name}/__init__.py" for name in LINKED} <= names


def test_the_wheel_runs(built, tmp_path):
    """Unpacked far from the repository, with the dependencies of this environment."""
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import gbdt_pwiser.objectives as o, gbdt_pwiser.tuning as t, gbdt_pwiser.report as r\n"
        "from importlib.resources import files\n"
        "print(o.__file__, t.__file__, files(r).joinpath('page.html.j2').is_file())"
    )
    done = python(code, cwd=tmp_path)
    assert done.stderr == ""
    *paths, template = done.stdout.split()
    assert paths == [str(tmp_path / "gbdt_pwiser" / name / "__init__.py") for name in LINKED]
    assert template == "True"


def test_the_version_is_the_same_everywhere(built):
    """Of the wheel, of the sdist, and of a tree that nobody installed: -S leaves out the site-packages."""
    import gbdt_pwiser

    assert built[0].name == f"gbdt_pwiser-{gbdt_pwiser.__version__}.tar.gz"
    with zipfile.ZipFile(built[1]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        assert f"Version: {gbdt_pwiser.__version__}" in wheel.read(metadata).decode().splitlines()
    assert PROJECT["project"]["dynamic"] == ["version"]
    code = "import gbdt_pwiser, sys; print(gbdt_pwiser.__version__, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"{gbdt_pwiser.__version__} False\n"


# ------------------------------------------------------------------------------ releases


def test_the_lowest_versions_that_were_run_are_those_declared():
    """`make lowest` runs on release/lowest.txt; a floor that changes is resolved and run anew."""
    lines = (ROOT / "release" / "lowest.txt").read_text().splitlines()
    ran = {name: Version(number) for name, _, number in (line.partition("==") for line in lines)}
    declared = [Requirement(floor) for floor in floors()]
    assert {"numpy", "matplotlib", "torch", "onnx", "distributed"} <= {each.name for each in declared}
    for each in declared:
        (floor,) = each.specifier
        assert (floor.operator, Version(floor.version)) == ("==", ran[each.name]), each


def test_uv_installs_from_where_pip_does():
    configuration = r"""
global.extra-index-url='https://a.test/simple\nhttps://b.test/simple'
global.find-links='/wheels'
global.timeout='180'
:env:.index-url='https://c.test/simple?a=b'
:env:.find-links='/wheels /more'
"""
    assert translated(configuration) == {
        "UV_INDEX": "https://a.test/simple https://b.test/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_DEFAULT_INDEX": "https://c.test/simple?a=b",
    }


def test_every_extra_of_users_is_tried_before_a_release():
    extras = set(PROJECT["project"]["optional-dependencies"])
    assert extras - {"dev", "docs", "release"} == set(EXTRAS) == set(BROUGHT_BY)
