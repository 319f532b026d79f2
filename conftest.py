"""Names that the examples in docstrings use without importing them."""

from __future__ import annotations

import importlib.util
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import fairmot_lab

matplotlib.use("agg")
if np.lib.NumpyVersion(np.__version__) >= "2.0.0":  # examples show numbers as numpy 1 does: 2, not np.int64(2)
    np.set_printoptions(legacy="1.25")

if importlib.util.find_spec("paddle") is None:  # these cannot be imported without it, so not searched for examples
    collect_ignore = ["fairmot_lab/lite/network.py", "fairmot_lab/lite/training.py"]


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(fl=fairmot_lab, np=np, pd=pd)
