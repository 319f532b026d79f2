"""MOTChallenge text inside other files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import atomic_write


def _mot_text(tracks: pd.DataFrame) -> str:
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    table = pd.DataFrame({name: rows[name].astype(np.int64) for name in ("frame", "id")})
    for name in "xywh":
        table[name] = rows[name].astype(float)
    table["score"] = rows["score"].astype(float) if "score" in rows else 1.0
    return table.assign(a=-1, b=-1, c=-1).to_csv(header=False, index=False, lineterminator="\n")


def _write_zip(path: str | os.PathLike[str], texts: Mapping[str, str], inputs: Any) -> Path:
    with atomic_write(path, inputs) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name)  # dated 1980, so that the same results give the same file
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return Path(path)


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
