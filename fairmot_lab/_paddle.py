"""Import paddle quietly, on first use: the only place that imports it."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import EngineError


def import_paddle() -> Any:
    """Import paddle without its noise."""
    prepare_for_paddle()
    try:
        with silence():
            import paddle
    except ModuleNotFoundError as error:
        if error.name != "paddle":
            raise
        raise EngineError(
            "PaddlePaddle is not installed; `pip install fairmot-lab[paddle]` (Python 3.11) brings it. "
            "The bundled model and other ONNX files run without."
        ) from error
    return paddle


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep imports and exports from printing and from leaving a process-wide filter that hides all warnings."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def prepare_for_paddle() -> None:
    """Set what paddle's libraries read from the environment when they are loaded, where it is not set already.

    On AMD processors the MKL that paddle carries is four times slower unless it is told to use AVX2 (measured with 78
    GFLOP/s against 21). The log of paddle's C++ code is kept to errors.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    with contextlib.suppress(OSError):
        if "AuthenticAMD" in Path("/proc/cpuinfo").read_text():
            os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
