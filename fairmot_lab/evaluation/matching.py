"""The sequential parts of evaluation, compiled: overlapping boxes, continuity of matches, assignment, HOTA.

Each function walks the frames of one sequence. Rows of ground truth and results are ordered by frame; `*_start` holds,
for each frame, where its rows (or pairs) begin, with the total at the end. Ids are codes 0, 1, 2, ... per sequence. A
pair is a ground-truth row and a result row of one frame whose boxes overlap; pairs are ordered by frame, then row, then
result.

No fast-math: the metrics must equal numpy's to the last bit.
"""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from ..association.assignment import assign_most

THRESHOLD = 0.5  # least IoU of a match
EPSILON = float(np.finfo(np.float64).eps)
RAW, FP, MISS, SWITCH, MATCH, TRANSFER, ASCEND, MIGRATE = range(8)
EVENT_TYPES = ["RAW", "FP", "MISS", "SWITCH", "MATCH", "TRANSFER", "ASCEND", "MIGRATE"]


@compiled
def overlapping_pairs(g_frame, g_box, t_frame, t_box):
    """Find all pairs of boxes of one frame that overlap.

    Boxes are (rows, 4) float64: x, y, w, h. The IoU has the order of operations of TrackEval and of motmetrics (which
    agree); the shifted IoU is what motmetrics finds after its reader has taken 1 from x and y of both.

    Returns
    -------
    g, t : int64 (pairs,)
        Rows of the two boxes.
    iou, shifted : float64 (pairs,)
    """
    capacity = max(1024, 4 * len(g_frame))
    g = np.empty(capacity, np.int64)
    t = np.empty(capacity, np.int64)
    iou = np.empty(capacity)
    shifted = np.empty(capacity)
    count = 0
    first = 0
    rows_t = len(t_frame)
    for i in range(len(g_frame)):
        frame = g_frame[i]
        while first < rows_t and t_frame[first] < frame:
            first += 1
        x, y, w, h = g_box[i, 0], g_box[i, 1], g_box[i, 2], g_box[i, 3]
        right, bottom = x + w, y + h
        j = first
        while j < rows_t and t_frame[j] == frame:
            other_x, other_w = t_box[j, 0], t_box[j, 2]
            wide = min(right, other_x + other_w) - max(x, other_x)
            if wide > 0.0:
                other_y, other_h = t_box[j, 1], t_box[j, 3]
                high = min(bottom, other_y + other_h) - max(y, other_y)
                if high > 0.0:
                    if count == capacity:
                        capacity *= 2
                        g = _grown(g, capacity)
                        t = _grown(t, capacity)
                        iou = _grown(iou, capacity)
                        shifted = _grown(shifted, capacity)
                    g[count] = i
                    t[count] = j
                    iou[count] = _iou(x, y, w, h, other_x, other_y, other_w, other_h)
                    shifted[count] = _iou(x - 1.0, y - 1.0, w, h, other_x - 1.0, other_y - 1.0, other_w, other_h)
                    count += 1
            j += 1
    return g[:count], t[:count], iou[:count], shifted[:count]


@compiled
def _iou(x, y, w, h, other_x, other_y, other_w, other_h):
    right, bottom = x + w, y + h
    other_right, other_bottom = other_x + other_w, other_y + other_h
    wide = max(min(right, other_right) - max(x, other_x), 0.0)
    high = max(min(bottom, other_bottom) - max(y, other_y), 0.0)
    both = wide * high
    if both == 0.0:
        return 0.0
    either = (right - x) * (bottom - y) + (other_right - other_x) * (other_bottom - other_y) - both
    return both / either


@compiled
def _grown(array, capacity):
    larger = np.empty(capacity, array.dtype)
    larger[: len(array)] = array
    return larger


CURSOR = np.dtype(
    [
        ("frame", np.int64),  # index of the frame to go on with
        ("events", np.int64),  # written so far
        ("number", np.int64),  # of the next event in the frame
        ("is_solved", np.bool_),  # the assignment of the frame is known
    ],
    align=True,
)
EVENT = np.dtype(
    [
        ("frame", np.int64),  # index
        ("number", np.int64),  # in the frame
        ("kind", np.int8),
        ("o", np.int64),  # codes of object and hypothesis, -1 for none
        ("h", np.int64),
        ("distance", np.float64),
    ],
    align=True,
)


@compiled(inline="always")
def _write(events, cursor, kind, o, h, distance):
    """Append an event of the frame under way."""
    event = events[cursor.events]
    event.frame, event.number, event.kind = cursor.frame, cursor.number, kind
    event.o, event.h, event.distance = o, h, distance
    cursor.events += 1
    cursor.number += 1


@compiled
def continue_matches(
    cursors,
    g_start,
    t_start,
    g_id,
    t_id,
    pair_start,
    pair_g,
    pair_t,
    pair_distance,
    partner,
    owner,
    seen,
    had_match,
    candidate_in,
    g_matched,
    t_matched,
    solved_g,
    solved_t,
    events,
):
    """Write the events of motmetrics 1.4.0's MOTAccumulator, until a frame needs an assignment to be solved.

    An object keeps the hypothesis it was last matched with, however long ago, if the two are a pair again. What is left
    is assigned. Where no box of the rest has two candidates, the assignment is obvious; otherwise the function returns,
    and is to be called again with the solution, so that the very solver that motmetrics uses decides ties.

    Parameters
    ----------
    cursors : (1,) CURSOR
        Updated; set `is_solved` where `solved_*` hold the assignment of the frame.
    g_start, t_start, pair_start : int64 (frames + 1,)
    g_id, t_id : int64
        Id code of each row.
    pair_g, pair_t, pair_distance
        Pairs with a distance of at most the threshold.
    partner, owner : int64 (objects,), (hypotheses,)
        Last hypothesis of each object and the reverse, as decided by assignment; -1 for none. State.
    seen, had_match : bool (hypotheses,), (objects,)
        Whether each was ever matched. State.
    candidate_in : int64 (hypotheses,)
        All -1; the last frame in which each was a candidate for an assignment. State.
    g_matched, t_matched : bool
        All False; marks matched rows.
    solved_g, solved_t : int64
        Rows assigned by the solver, ordered by `solved_g`.
    events : EVENT
        Receives the events.

    Returns
    -------
    bool
        True at the end; False if the frame of the cursor needs an assignment among its unmatched rows.
    """
    cursor = cursors[0]
    while cursor.frame < len(g_start) - 1:
        f = cursor.frame
        g0, g1, t0, t1 = g_start[f], g_start[f + 1], t_start[f], t_start[f + 1]
        p0, p1 = pair_start[f], pair_start[f + 1]
        if not cursor.is_solved:
            cursor.number = 0
            _write(events, cursor, RAW, -1, -1, np.nan)
            # a row is marked "matched" for a moment to find the rows that are in no pair
            for p in range(p0, p1):
                i, j = pair_g[p], pair_t[p]
                _write(events, cursor, RAW, g_id[i], t_id[j], pair_distance[p])
                g_matched[i] = t_matched[j] = True
            for i in range(g0, g1):
                if not g_matched[i]:
                    _write(events, cursor, RAW, g_id[i], -1, np.nan)
                g_matched[i] = False
            for j in range(t0, t1):
                if not t_matched[j]:
                    _write(events, cursor, RAW, -1, t_id[j], np.nan)
                t_matched[j] = False

            for p in range(p0, p1):
                i, j = pair_g[p], pair_t[p]
                if partner[g_id[i]] == t_id[j] and not t_matched[j]:
                    g_matched[i] = t_matched[j] = True
                    seen[t_id[j]] = True
                    had_match[g_id[i]] = True
                    _write(events, cursor, MATCH, g_id[i], t_id[j], pair_distance[p])

            contested = False
            previous = -1
            for p in range(p0, p1):
                i, j = pair_g[p], pair_t[p]
                if g_matched[i] or t_matched[j]:
                    continue
                if i == previous or candidate_in[t_id[j]] == f:
                    contested = True
                previous = i
                candidate_in[t_id[j]] = f
            if contested:
                return False

        solution = 0
        for p in range(p0, p1):
            i, j = pair_g[p], pair_t[p]
            if g_matched[i] or t_matched[j]:
                continue
            if cursor.is_solved:
                while solution < len(solved_g) and solved_g[solution] < i:
                    solution += 1
                if solution == len(solved_g) or solved_g[solution] != i or solved_t[solution] != j:
                    continue
            o, h, distance = g_id[i], t_id[j], pair_distance[p]
            switched = partner[o] >= 0 and partner[o] != h
            if switched and not seen[h]:
                _write(events, cursor, ASCEND, o, h, distance)
            if owner[h] >= 0 and owner[h] != o:
                if not had_match[o]:
                    _write(events, cursor, MIGRATE, o, h, distance)
                _write(events, cursor, TRANSFER, o, h, distance)
            _write(events, cursor, SWITCH if switched else MATCH, o, h, distance)
            seen[h] = had_match[o] = True
            partner[o], owner[h] = h, o
            g_matched[i] = t_matched[j] = True
        cursor.is_solved = False
        for i in range(g0, g1):
            if not g_matched[i]:
                _write(events, cursor, MISS, g_id[i], -1, np.nan)
        for j in range(t0, t1):
            if not t_matched[j]:
                _write(events, cursor, FP, -1, t_id[j], np.nan)
        cursor.frame += 1
    return True


@compiled
def _frame_iou(f, g_start, t_start, pair_start, pair_g, pair_t, pair_iou):
    """Return the IoU of ground truth (rows) and results (columns) of a frame."""
    iou = np.zeros((g_start[f + 1] - g_start[f], t_start[f + 1] - t_start[f]))
    for p in range(pair_start[f], pair_start[f + 1]):
        iou[pair_g[p] - g_start[f], pair_t[p] - t_start[f]] = pair_iou[p]
    return iou


@compiled
def drop_distractors(g_start, t_start, pair_start, pair_g, pair_t, pair_iou, is_distractor, keep):
    """Clear `keep` for results that TrackEval's best assignment gives to a distractor (IoU >= 0.5).

    Pairs are those of all ground truth, whatever its class, with an IoU of at least 0.5.
    """
    for f in range(len(g_start) - 1):
        p0, p1 = pair_start[f], pair_start[f + 1]
        any_distractor = False
        for p in range(p0, p1):
            any_distractor |= is_distractor[pair_g[p]]
        if not any_distractor:
            continue
        iou = _frame_iou(f, g_start, t_start, pair_start, pair_g, pair_t, pair_iou)
        for i, j in enumerate(assign_most(-iou)):
            if j >= 0 and iou[i, j] > EPSILON and is_distractor[g_start[f] + i]:
                keep[t_start[f] + j] = False


@compiled
def clear_matches(
    g_start, t_start, g_id, t_id, pair_start, pair_g, pair_t, pair_iou, objects, partner, similarity, switched
):
    """Match as TrackEval's CLEAR does: with continuity from the previous time step only.

    Parameters
    ----------
    pair_iou
        Of pairs with an IoU of at least the threshold.
    objects
        Number of ground-truth ids.
    partner, similarity, switched : int64, float64, bool, one per ground-truth row
        Filled with the row of the matched result (-1 for none), the IoU, and whether it is an ID switch.

    Returns
    -------
    present, matched, fragments : int64 (objects,)
        Rows and matched rows of each object, and how often it became tracked.
    similarity_sum : float
        Summed frame by frame, as TrackEval does.
    """
    last = np.full(objects, -1, np.int64)
    previous = np.full(objects, -1, np.int64)
    current = np.full(objects, -1, np.int64)
    present = np.zeros(objects, np.int64)
    matched = np.zeros(objects, np.int64)
    fragments = np.zeros(objects, np.int64)
    total = 0.0
    for f in range(len(g_start) - 1):
        g0, t0 = g_start[f], t_start[f]
        g_rows, t_rows = g_start[f + 1] - g0, t_start[f + 1] - t0
        for i in range(g_rows):
            present[g_id[g0 + i]] += 1
            partner[g0 + i] = -1
        if g_rows == 0 or t_rows == 0:
            continue  # TrackEval keeps the state of the last frame that had both
        iou = _frame_iou(f, g_start, t_start, pair_start, pair_g, pair_t, pair_iou)
        scores = iou.copy()
        for p in range(pair_start[f], pair_start[f + 1]):
            if previous[g_id[pair_g[p]]] == t_id[pair_t[p]]:
                scores[pair_g[p] - g0, pair_t[p] - t0] += 1000.0
        frame_sum = 0.0
        for i, j in enumerate(assign_most(-scores)):
            if j < 0 or scores[i, j] <= EPSILON:
                continue
            o, h = g_id[g0 + i], t_id[t0 + j]
            partner[g0 + i] = t0 + j
            similarity[g0 + i] = iou[i, j]
            frame_sum += iou[i, j]
            switched[g0 + i] = last[o] >= 0 and last[o] != h
            matched[o] += 1
            last[o] = h
            current[o] = h
            if previous[o] < 0:
                fragments[o] += 1
        total += frame_sum
        for o in range(objects):
            previous[o] = current[o]
            current[o] = -1
    return present, matched, fragments, total


@compiled
def hota_matches(g_start, t_start, g_id, t_id, pair_start, pair_g, pair_t, pair_iou, objects, hypotheses):
    """Match as HOTA does (J. Luiten et al., IJCV 2020), once for all thresholds, as TrackEval computes it.

    Pairs are all that overlap. The assignment maximises IoU times the global alignment of the two tracks.

    Returns
    -------
    frame : int64 (matches,)
        Index.
    g, t : int64 (matches,)
        Id codes.
    iou : float64 (matches,)
    """
    frames = len(g_start) - 1
    alignment = np.zeros((objects, hypotheses))
    g_count = np.zeros(objects)
    t_count = np.zeros(hypotheses)
    for i in g_id:
        g_count[i] += 1
    for j in t_id:
        t_count[j] += 1
    for f in range(frames):
        g0, t0 = g_start[f], t_start[f]
        g_sum = np.zeros(g_start[f + 1] - g0)
        t_sum = np.zeros(t_start[f + 1] - t0)
        for p in range(pair_start[f], pair_start[f + 1]):
            g_sum[pair_g[p] - g0] += pair_iou[p]
            t_sum[pair_t[p] - t0] += pair_iou[p]
        for p in range(pair_start[f], pair_start[f + 1]):
            shared = t_sum[pair_t[p] - t0] + g_sum[pair_g[p] - g0] - pair_iou[p]
            if shared > EPSILON:
                alignment[g_id[pair_g[p]], t_id[pair_t[p]]] += pair_iou[p] / shared
    for o in range(objects):
        for h in range(hypotheses):
            alignment[o, h] = alignment[o, h] / (g_count[o] + t_count[h] - alignment[o, h])
    capacity = min(len(g_id), len(t_id))
    frame = np.empty(capacity, np.int64)
    g = np.empty(capacity, np.int64)
    t = np.empty(capacity, np.int64)
    iou = np.empty(capacity)
    n = 0
    for f in range(frames):
        g0, t0 = g_start[f], t_start[f]
        g_rows, t_rows = g_start[f + 1] - g0, t_start[f + 1] - t0
        if g_rows == 0 or t_rows == 0:
            continue
        similarity = _frame_iou(f, g_start, t_start, pair_start, pair_g, pair_t, pair_iou)
        scores = similarity.copy()
        for p in range(pair_start[f], pair_start[f + 1]):
            scores[pair_g[p] - g0, pair_t[p] - t0] *= alignment[g_id[pair_g[p]], t_id[pair_t[p]]]
        for i, j in enumerate(assign_most(-scores)):
            if j >= 0 and similarity[i, j] > 0.0:
                frame[n], g[n], t[n], iou[n] = f, g_id[g0 + i], t_id[t0 + j], similarity[i, j]
                n += 1
    return frame[:n], g[:n], t[:n], iou[:n]


@compiled
def frame_accuracy(g_start, t_start, pair_start, pair_g, pair_t, pair_iou):
    """Sum over frames of the best total IoU over the mean number of boxes (FDA), and count the frames with boxes."""
    total = 0.0
    frames = 0
    for f in range(len(g_start) - 1):
        g_rows, t_rows = g_start[f + 1] - g_start[f], t_start[f + 1] - t_start[f]
        if g_rows + t_rows == 0:
            continue
        frames += 1
        iou = _frame_iou(f, g_start, t_start, pair_start, pair_g, pair_t, pair_iou)
        overlap = 0.0
        for i, j in enumerate(assign_most(-iou)):
            if j >= 0:
                overlap += iou[i, j]
        total += overlap / (0.5 * (g_rows + t_rows))
    return total, frames
