"""Every mistake a user can make has a class here, and its message is one sentence with the remedy in it."""

import contextlib
import contextvars
import os
import sys
import warnings
from collections.abc import Iterator

_PACKAGE = os.path.dirname(__file__) + os.sep


class FairMOTLabError(Exception):
    """Base of all errors that fairmot_lab raises on purpose; the command line prints one line and exits with 2."""


class SourceError(FairMOTLabError):
    """A sequence, video, image folder or camera that cannot be read."""


class MotFileError(FairMOTLabError, ValueError):
    """A MOTChallenge text file or seqinfo.ini that would give wrong figures if it were read."""


class ConfigError(FairMOTLabError, ValueError):
    """A setting outside its range, or one that does not exist."""


class UnknownModelError(FairMOTLabError, KeyError):
    """A model name that the zoo does not hold."""

    __str__ = Exception.__str__  # KeyError would show the sentence as a quoted key


class WeightsError(FairMOTLabError):
    """A weights file that is damaged, unsafe, or made for another architecture."""


class DownloadError(FairMOTLabError):
    """A transfer that did not give the file it promised."""


class EngineError(FairMOTLabError):
    """An engine or device that this machine does not offer."""


class DetectionsError(FairMOTLabError):
    """Kept detections that are damaged, in use, or made from something else."""


class TrackingError(FairMOTLabError, ValueError):
    """Detections that no tracker should accept: non-finite boxes, empty boxes, broken embeddings."""


class EvaluationError(FairMOTLabError):
    """Results and ground truth that cannot be compared."""


class PlotError(FairMOTLabError, ValueError):
    """A table that lacks what a figure shows, or a figure that cannot be drawn as asked."""


class ViewError(FairMOTLabError, ValueError):
    """A widget that was given an option it does not have, or what it cannot show."""


class WriteError(FairMOTLabError):
    """A result, video or folder that cannot be written."""


class HubError(FairMOTLabError):
    """A request that the PaddleHub-compatible module does not serve."""


class TrainingError(FairMOTLabError):
    """Training data, checkpoints or settings that cannot be used."""


class FairMOTLabWarning(UserWarning):
    """Something was left out, or a figure needs a caveat: the message says what and how much."""


_COLLECTED: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("notes", default=None)


@contextlib.contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Give a list that takes what this thread warns of in the block; the filters of `warnings` are of all threads."""
    notes: list[str] = []
    token = _COLLECTED.set(notes)
    try:
        yield notes
    finally:
        _COLLECTED.reset(token)


def warn(message: str) -> None:
    """Give a `FairMOTLabWarning` that names the line outside this package from which it was called."""
    if (notes := _COLLECTED.get()) is not None:
        notes.append(message)
        return
    level = outside = 2
    frame = sys._getframe(1)
    while frame.f_back is not None:
        level += 1
        if frame.f_code.co_filename.startswith(_PACKAGE):
            outside = level
        frame = frame.f_back
    warnings.warn(message, FairMOTLabWarning, stacklevel=outside)
