"""The option that trains on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from gbdt_pwiser.cli._errors import input_error
from gbdt_pwiser.cli._headings import MODEL, option
from gbdt_pwiser.cli._options import text

if TYPE_CHECKING:
    from gbdt_pwiser.models import Model, ModelSpec

SECONDS_TO_CONNECT: Final = 10

dask_option = option(
    "--dask",
    "scheduler",
    metavar="ADDRESS",
    callback=text,
    help="xgboost: train on the workers of this Dask scheduler, e.g. tcp://host:8786.",
    panel=MODEL,
)


async def _knock(scheduler: str) -> None:
    from distributed import Security
    from distributed.comm import connect

    options = Security().get_connection_args("client")
    comm = await connect(scheduler, timeout=SECONDS_TO_CONNECT, **options)
    await comm.close()


@contextmanager
def maker(scheduler: str | None, *specs: ModelSpec) -> Iterator[Callable[[ModelSpec], Model]]:
    """Give what makes a model of a spec, to be trained here or on the cluster while the block lasts.

    The specs that are given are refused, where they have to be, before anything is connected.
    """
    from gbdt_pwiser.models import make_model

    for spec in specs:
        make_model(spec)
    if scheduler is None:
        yield make_model
        return
    from gbdt_pwiser.distributed import require_distributed_extra
    from gbdt_pwiser.models.registry import make_on_workers

    require_distributed_extra()
    for spec in specs:
        make_on_workers(spec, client=None)
    import asyncio

    from distributed import Client

    try:
        # A client that cannot connect waits again, and prints its stack, when it is thrown away.
        asyncio.run(_knock(scheduler))
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT)
    except Exception as error:  # the many kinds of transports have many kinds of errors
        raise input_error(f"no Dask scheduler answers at {scheduler} ({error}); give its address") from error
    with client:
        yield partial(make_on_workers, client=client)
