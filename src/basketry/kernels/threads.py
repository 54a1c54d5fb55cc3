"""Compiled work in threads of its own, so that the calling thread hears Ctrl-C and tells of progress."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final

from basketry.core.telemetry import span

_GLANCE: Final = 0.1  # seconds between two looks at the progress, and at Ctrl-C


def in_threads(
    name: str,
    work: Callable[[int], None],
    threads: int,
    *,
    stop: Callable[[], None],
    progress: Callable[[], tuple[int, int]],
) -> None:
    """Call `work(i)` for i in [0, threads), each in a thread of its own, and wait for all.

    `work` runs compiled code that gives up the interpreter lock and ends soon after `stop()`. Work that lasts opens a span
    `name` and moves it by `progress()`, (done, total). An exception, of this thread (KeyboardInterrupt) or of any other, stops
    all of them and is raised once they have ended.
    """
    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(work, number) for number in range(threads)]
        try:
            left = wait(tasks, _GLANCE, FIRST_EXCEPTION).not_done
            if left:
                _watch(name, left, progress)
            for task in tasks:
                task.result()
        except BaseException:
            stop()
            raise


def _watch(name: str, left: set[Future[None]], progress: Callable[[], tuple[int, int]]) -> None:
    with span(name, total=progress()[1], unit="items") as told:
        while left and not any(task.done() and task.exception() for task in left):
            told.advance(progress()[0] - told.done)
            left = wait(left, _GLANCE, FIRST_EXCEPTION).not_done
