"""Independent pieces of work in, their results out: each in a fresh process, some side by side."""

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar
from unittest.mock import patch

T = TypeVar("T")

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}


def side_by_side(pieces: Iterable[Callable[[], T]], workers: int) -> list[T]:
    """The results of all pieces, in order.

    A fresh process for every piece reads the weights as they are now, and its libraries keep to
    one thread, so that the results do not depend on how many run at a time. If a piece fails,
    those that have not begun are left out and its error is raised.
    """
    context = multiprocessing.get_context("spawn")
    with (
        patch.dict(os.environ, _ONE_THREAD),
        ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1) as pool,
    ):
        done = [pool.submit(piece) for piece in pieces]
        try:
            return [one.result() for one in done]
        finally:
            pool.shutdown(cancel_futures=True)
