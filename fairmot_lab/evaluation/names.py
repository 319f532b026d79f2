"""The names of metrics and their order in tables."""

from __future__ import annotations

OVERALL = "OVERALL"

# Every metric of py-motmetrics that is one number, in the order of the summary.
MOTMETRICS = (
    "mota", "motp", "idf1", "idp", "idr", "recall", "precision", "num_switches", "num_fragmentations", "mostly_tracked",
    "partially_tracked", "mostly_lost", "num_false_positives", "num_misses", "num_matches", "num_detections",
    "num_transfer", "num_ascend", "num_migrate", "num_objects", "num_predictions", "num_unique_objects", "num_frames",
    "idtp", "idfp", "idfn",
)  # fmt: skip
HOTA = ("hota", "deta", "assa")
RATIOS = ("mota", "idf1", "idp", "idr", "recall", "precision")
PERCENT = (*RATIOS, *HOTA, "detre", "detpr", "assre", "asspr", "loca", "moda", "smota", "ata", "sfda")
SHOWN = (
    "sequence", "hota", "deta", "assa", "mota", "idf1", "idp", "idr", "recall", "precision", "motp", "num_switches",
    "num_fragmentations", "mostly_tracked", "partially_tracked", "mostly_lost", "num_false_positives", "num_misses",
    "num_frames",
)  # fmt: skip
SHORT = {
    "hota": "HOTA", "deta": "DetA", "assa": "AssA", "mota": "MOTA", "motp": "MOTP", "idf1": "IDF1", "idp": "IDP",
    "idr": "IDR", "recall": "Rcll", "precision": "Prcn", "num_switches": "IDs", "num_fragmentations": "FM",
    "mostly_tracked": "MT", "partially_tracked": "PT", "mostly_lost": "ML", "num_false_positives": "FP",
    "num_misses": "FN", "num_frames": "frames", "num_dropped": "dropped",
}  # fmt: skip

# What is compared first, in tables and views.
MAIN = ("mota", "idf1", "hota", "num_switches", "num_false_positives", "num_misses")
SMALLER_IS_BETTER = ("num_switches", "num_fragmentations", "num_false_positives", "num_misses", "mostly_lost", "motp")
LABELS = {
    "mota": "MOTA",
    "motp": "MOTP",
    "idf1": "IDF1",
    "idp": "IDP",
    "idr": "IDR",
    "hota": "HOTA",
    "deta": "DetA",
    "assa": "AssA",
    "loca": "LocA",
    "recall": "recall",
    "precision": "precision",
    "ap": "AP at IoU 0.5",
    "rank1": "ReID rank-1",
    "num_switches": "ID switches",
    "num_false_positives": "false positives",
    "num_misses": "misses",
    "num_fragmentations": "fragmentations",
}
