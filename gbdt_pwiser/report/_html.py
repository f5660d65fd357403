"""How templates become a page: one HTML file that asks nothing of the network."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from gbdt_pwiser._files import replacing_file
from gbdt_pwiser.objectives import InputError
from gbdt_pwiser.report._plots import data_address


def require_report_extra() -> None:
    """Refuse before the work starts what would fail after it.

    Raises
    ------
    InputError
        Jinja2 or Matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"the report needs {error.name}, which is missing; pip install 'gbdt-pwiser[report]'"
        ) from error


def write_page(path: Path | str, template: str, **values: Any) -> None:
    """Fill a template of this package and write it, in one step.

    Text is escaped, a name without a value is an error. The filter `address` makes the address of CSV.
    """
    import jinja2

    def read(name: str) -> str:
        return resources.files("gbdt_pwiser.report").joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(read),
    )
    environment.filters["address"] = data_address
    page = environment.get_template(template).render(values)
    with replacing_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
