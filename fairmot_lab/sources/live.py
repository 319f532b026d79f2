"""Cameras and network streams, with automatic reconnection."""

from __future__ import annotations

import math
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from time import monotonic

import av
import cv2
import numpy as np

from .._files import reason_of
from ..errors import SourceError, warn
from .base import DEFAULT_FRAME_RATE, Frame, Kind, Source
from .video import upright


class _Lost(Exception):
    """A connection that ended, failed or stalled."""


@dataclass(frozen=True)
class _Arrival:
    """An image, its own time stamp in seconds where the medium gives one, and when it came."""

    image: np.ndarray
    stamp: float
    came: float


class _Connection:
    """Reads images in a thread, so that a stalled camera can be given up.

    Unless it is to keep all, an image that was not fetched in time is replaced by the next: the delay stays constant.
    """

    def __init__(
        self, images: Callable[[], Iterator[tuple[np.ndarray, float | None]]], keep_all: Callable[[], bool]
    ) -> None:
        self.dropped = 0
        self._images = images
        self._keep_all = keep_all
        self._waiting: _Arrival | None = None
        self._end: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        end: Exception = EOFError("it ended")
        try:
            for image, stamp in self._images():
                came = monotonic()
                with self._changed:
                    if self._keep_all():
                        self._changed.wait_for(lambda: self._waiting is None or self._closed)
                    if self._closed:
                        return
                    self.dropped += self._waiting is not None
                    self._waiting = _Arrival(image, came if stamp is None else stamp, came)
                    self._changed.notify_all()
        except Exception as error:  # handed to the reader in `get`
            end = error
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def get(self, timeout: float) -> _Arrival:
        """Return the next image; raise _Lost, with EOFError as its cause where the source ended."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._end, timeout):
                raise _Lost(f"no frame came for {timeout:g} seconds")
            if self._waiting is None:
                assert self._end is not None
                raise _Lost(reason_of(self._end)) from self._end
            waiting, self._waiting = self._waiting, None
            self._changed.notify_all()
            return waiting

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class LiveSource(Source):
    """Read live frames. A connection that fails or stalls is opened again, up to `retries` times in a row.

    Where the reader is slower than the source, it gets the newest frame, and `dropped` counts the ones between.
    """

    def __init__(self, name: str, label: str, frame_rate: float | None, retries: int, stall_seconds: float) -> None:
        if retries < 0 or not stall_seconds > 0:
            raise SourceError(f"retries is {retries} and stall_seconds {stall_seconds}; give 0 or more, and above 0.")
        super().__init__(name, None, frame_rate or DEFAULT_FRAME_RATE)
        self._label = label  # what messages call it
        self._given_rate = frame_rate
        self.retries = retries
        self.stall_seconds = stall_seconds
        self.retry_seconds = 1.0
        self._dropped = 0
        self._finite = False
        self._number = 0
        self._began: float | None = None  # when the first frame came
        self._shift: float | None = None  # from the stamps of this connection to seconds since the first frame
        self._time = 0.0
        self._stopped = threading.Event()
        self._connection: _Connection | None = None
        self._token = uuid.uuid4().hex

    def _connect(self) -> Iterator[tuple[np.ndarray, float | None]]:
        """Open the medium and yield its images, with their time stamps where it has some, until it ends."""
        raise NotImplementedError

    def _start(self) -> None:
        """Connect and read one frame, for its size."""
        self._connection = _Connection(self._connect, self._keep_all)
        try:
            self._first: _Arrival | None = self._connection.get(self.stall_seconds)
        except _Lost as lost:
            self.close()
            raise SourceError(
                f"{self._label} cannot be opened ({lost}); check that it is there and not in use."
            ) from lost
        self.height, self.width = self._first.image.shape[:2]

    def _keep_all(self) -> bool:
        return self._finite

    def _set_rate(self, frame_rate: float | Fraction | None) -> None:
        """Take the frame rate that the medium says, unless one was given."""
        if self._given_rate is None and frame_rate and math.isfinite(frame_rate) and frame_rate > 0:
            self.frame_rate = float(frame_rate)

    @property
    def dropped(self) -> int:
        """Return how many frames were skipped while the reader was busy."""
        return self._dropped + (self._connection.dropped if self._connection else 0)

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Yield new frames; numbers continue where an earlier call stopped."""
        failures = 0
        while not self._stopped.is_set() and (last is None or self._number < last):
            try:
                if self._first is not None:
                    arrival, self._first = self._first, None
                else:
                    if self._connection is None:
                        self._connection = _Connection(self._connect, self._keep_all)
                    arrival = self._connection.get(self.stall_seconds)
            except _Lost as lost:
                self._disconnect()
                if self._finite and isinstance(lost.__cause__, EOFError):
                    return
                failures += 1
                if failures > self.retries:
                    raise SourceError(
                        f"{self._label} was lost after frame {self._number} ({lost}) and did not come back in "
                        f"{self.retries} tries; check it, or allow more (retries=, --retries)."
                    ) from lost
                warn(f"{self._label} was lost after frame {self._number} ({lost}); try {failures} of {self.retries}.")
                self._stopped.wait(min(self.retry_seconds * 2 ** (failures - 1), 30.0))
                continue
            failures = 0
            self._number += 1
            time = self._seconds(arrival)
            if self._number >= first:
                yield Frame(self._number, self._fit(arrival.image, self._number), time)

    def _seconds(self, arrival: _Arrival) -> float:
        """Return seconds since the first frame: by time stamps, aligned with the clock at each connection."""
        if self._began is None:
            self._began = arrival.came
        if self._shift is None:
            earliest = self._time + 1e-3 if self._number > 1 else 0.0
            self._shift = max(arrival.came - self._began, earliest) - arrival.stamp
        if self._number > 1:
            self._time = max(arrival.stamp + self._shift, self._time + 1e-3)  # stamps can go back; time does not
        return self._time

    def image(self, number: int) -> np.ndarray:
        raise SourceError(f"{self._label} is live: frame {number} cannot be fetched again; iterate over its frames.")

    def fingerprint(self) -> str:
        return f"{self.kind}-{self._token}"

    def close(self) -> None:
        self._stopped.set()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._dropped += self._connection.dropped
            self._connection.close()
            self._connection = None
            self._shift = None


def _now() -> str:
    """Return a part of the name of a live source: no two recordings share a name."""
    return datetime.now().strftime("%Y%m%d-%H%M%S")


class CameraSource(LiveSource):
    """A camera of this machine, by its number, read with OpenCV."""

    kind: Kind = "camera"

    def __init__(
        self, number: int, frame_rate: float | None, name: str | None, retries: int, stall_seconds: float
    ) -> None:
        super().__init__(name or f"camera{number}-{_now()}", f"Camera {number}", frame_rate, retries, stall_seconds)
        self.number = number
        self._start()

    def _connect(self) -> Iterator[tuple[np.ndarray, float | None]]:
        if sys.platform == "linux" and not Path(f"/dev/video{self.number}").exists():
            raise OSError(f"there is no /dev/video{self.number}")  # OpenCV would say so on stderr, in its own words
        capture = cv2.VideoCapture(self.number)
        try:
            if not capture.isOpened():
                raise OSError("there is no such camera, or another program uses it")
            self._set_rate(capture.get(cv2.CAP_PROP_FPS))
            while True:
                good, image = capture.read()
                if not good:
                    raise OSError("it gave no frame")
                yield image, None
        finally:
            capture.release()


class StreamSource(LiveSource):
    """An address such as rtsp://host/stream, read with FFmpeg through PyAV. One that has an end is read to its end."""

    kind: Kind = "stream"

    def __init__(
        self, address: str, frame_rate: float | None, name: str | None, retries: int, stall_seconds: float
    ) -> None:
        host = re.sub(r"^[^:]+://([^/@]*@)?", "", address)  # without user and password
        host = re.sub(r"[^A-Za-z0-9.-]+", "_", host).strip("_") or "stream"
        label = re.sub(r"://[^/@]*@", "://", address)
        super().__init__(name or f"{host}-{_now()}", label, frame_rate, retries, stall_seconds)
        self.address = address
        self._start()

    def _connect(self) -> Iterator[tuple[np.ndarray, float | None]]:
        # TCP: over UDP a lost datagram damages every picture up to the next keyframe
        options = {"rtsp_transport": "tcp"} if self.address.startswith("rtsp") else {}
        with av.open(self.address, options=options, timeout=(self.stall_seconds, self.stall_seconds)) as container:
            if not container.streams.video:
                raise OSError("it has no picture")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            self._finite = bool(container.duration)
            self._set_rate(stream.average_rate or stream.guessed_rate)
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:  # a damaged packet; what follows may be whole
                    continue
                for frame in frames:
                    yield upright(frame), frame.time
