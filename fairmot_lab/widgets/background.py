"""Run the latest of several requests in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

Post = Callable[[Callable[[], None]], object]


class LatestWins:
    """Work in the background, always on the newest value: values that were overtaken are never computed.

    Parameters
    ----------
    stages
        Functions called one after the other in a thread: `first(value, None) -> result`, `next(value, result)`. Between
        them a newer value takes over, so the first should be the quick one.
    deliver
        `deliver(stage, value, result)` after each stage, counted from 0; `failed(value, error)` if one raised.
    post
        `post(callback)` runs a callback where results are wanted, such as an event loop; the thread itself by default.

    Attributes
    ----------
    computed : int
        How often the first stage was done.
    """

    def __init__(
        self,
        stages: Sequence[Callable[[Any, Any], Any]],
        deliver: Callable[[int, Any, Any], None],
        failed: Callable[[Any, Exception], None],
        post: Post | None = None,
    ) -> None:
        self._stages, self._deliver, self._failed = list(stages), deliver, failed
        self._post = post or (lambda callback: callback())
        self._changed = threading.Condition()
        self._wanted: list[Any] = []
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None
        self.computed = 0

    def submit(self, value: Any) -> None:
        """Want the result for `value`; what waited is forgotten."""
        with self._changed:
            if self._closed:
                return
            self._wanted = [value]
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="latest-wins", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is wanted or under way; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted and not self._busy, timeout)

    def close(self) -> None:
        """Forget what waits and end the thread once its current call returns; its result is dropped."""
        with self._changed:
            self._closed = True
            self._wanted = []
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                value = self._wanted.pop()
                self._busy = True
            try:
                self._run(value)
            except Exception as error:
                self._hand_over(self._failed, value, error)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _run(self, value: Any) -> None:
        result = None
        for number, stage in enumerate(self._stages):
            if number and (self._wanted or self._closed):
                return
            result = stage(value, result)
            self.computed += number == 0
            self._hand_over(self._deliver, number, value, result)

    def _hand_over(self, receiver: Callable[..., None], *arguments: Any) -> None:
        def callback() -> None:
            if not self._closed:
                receiver(*arguments)

        if not self._closed:
            self._post(callback)
