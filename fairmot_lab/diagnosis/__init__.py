"""Why a tracker made its errors."""

from .embeddings import cosine_matrix, embedding_distances, label_detections, project, similarity_map, switch_distances
from .error_budget import CAUSES, ErrorBudget, error_budget, repaired
from .oracle import oracle_detections, oracle_identities, oracle_study
from .peaks import peak_table
from .person import PersonLife, person
from .reasons import REASONS, explain_switches
from .replay import cell_sentences, replay
from .tables import evaluation_errors
from .what_if import WhatIf, what_if

__all__ = [
    "CAUSES",
    "REASONS",
    "ErrorBudget",
    "PersonLife",
    "WhatIf",
    "cell_sentences",
    "cosine_matrix",
    "embedding_distances",
    "error_budget",
    "evaluation_errors",
    "explain_switches",
    "label_detections",
    "oracle_detections",
    "oracle_identities",
    "oracle_study",
    "peak_table",
    "person",
    "project",
    "repaired",
    "replay",
    "similarity_map",
    "switch_distances",
    "what_if",
]
