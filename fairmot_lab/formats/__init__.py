"""Files of labels and results, one module per format; `read_labels` reads any of them."""

from .classes import motchallenge_classes, people_rows
from .coco import read_coco, write_coco
from .cvat import read_cvat, read_cvat_video, write_cvat
from .kitti import read_kitti, write_kitti
from .labels import FORMATS, find_labels, read_labels, recognise
from .mot import check_table, read_mot, write_mot
from .seqinfo import SequenceInfo, read_seqinfo
from .submission import write_submission
from .trackeval import write_trackeval

__all__ = [
    "FORMATS",
    "SequenceInfo",
    "check_table",
    "find_labels",
    "motchallenge_classes",
    "people_rows",
    "read_coco",
    "read_cvat",
    "read_cvat_video",
    "read_kitti",
    "read_labels",
    "read_mot",
    "read_seqinfo",
    "recognise",
    "write_coco",
    "write_cvat",
    "write_kitti",
    "write_mot",
    "write_submission",
    "write_trackeval",
]
