"""Names that the examples in docstrings use without importing them."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import fairmot_lab

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def _names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(fl=fairmot_lab, np=np, pd=pd)
