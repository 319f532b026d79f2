"""Files of labels and results, one module per format."""

from .cvat import read_cvat, write_cvat
from .mot import check_table, read_mot, write_mot
from .seqinfo import SequenceInfo, read_seqinfo
from .submission import write_submission
from .trackeval import write_trackeval

__all__ = [
    "SequenceInfo",
    "check_table",
    "read_cvat",
    "read_mot",
    "read_seqinfo",
    "write_cvat",
    "write_mot",
    "write_submission",
    "write_trackeval",
]
