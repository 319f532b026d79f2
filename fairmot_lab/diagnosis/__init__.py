"""Why a tracker made its errors."""

from .embeddings import cosine_matrix, embedding_distances, label_detections, project, similarity_map, switch_distances
from .errors import evaluation_errors
from .oracle import oracle_detections, oracle_identities, oracle_study
from .peaks import peak_table
from .reasons import REASONS, explain_switches
from .replay import cell_sentences, replay
from .what_if import WhatIf, what_if

__all__ = [
    "REASONS",
    "WhatIf",
    "cell_sentences",
    "cosine_matrix",
    "embedding_distances",
    "evaluation_errors",
    "explain_switches",
    "label_detections",
    "oracle_detections",
    "oracle_identities",
    "oracle_study",
    "peak_table",
    "project",
    "replay",
    "similarity_map",
    "switch_distances",
    "what_if",
]
