"""All texts of a codebook, asked from M1, many at once.

M1 reads texts in lanes. A lane that has read a text goes on to its largest child, one step away;
the other children wait for a lane that reads them from the root. So a long text (a run of blanks)
costs its length once, not the sum over its prefixes.
"""

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.codebook.plans import Plan, information_of, root_weight
from equalinfo.frequencies import check
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies, FrequencyModel

Integers = npt.NDArray[np.int64]
Texts = tuple[npt.NDArray[np.uint16], Integers, npt.NDArray[np.uint16]]


class _Job(NamedTuple):
    """A text that may have children. The largest come first: their descendants are the longest."""

    negative_size: int
    node: int
    text: tuple[int, ...]


def enumerate_texts(
    model: FrequencyModel, plan: Plan, context: int, lanes: int, progress: bool
) -> Texts:
    """The texts of a plan under a model.

    Args:
      model: M1.
      plan: which texts are wanted.
      context: symbols of left context that M1 sees.
      lanes: texts that M1 reads together; the result does not depend on it.
      progress: draw a bar over the texts found; a plan may find more than it takes in the end.

    Returns:
      texts: uint16[total], in lexicographic order.
      offsets: int64[V + 1].
      information: uint16[V], in 1/256 bit.
    """
    trie = _Trie(plan, model.precision)
    engine = getattr(model, "runs_on", "")
    label = f"compile, M1 on {engine}" if engine else "compile"
    with tqdm(total=plan.num_codes, desc=label, unit="text", disable=not progress) as bar:
        (waiting,) = trie.expand([_Job(-plan.root_size, -1, ())], model.root()[None])
        heapq.heapify(waiting)
        lanes = max(1, min(lanes, plan.num_codes))
        state = model.start(lanes, context)
        jobs: list[_Job | None] = [None] * lanes
        read = [0] * lanes  # symbols of the job that the lane has read
        while True:
            bar.update(min(trie.size, plan.num_codes) - bar.n)
            active: list[tuple[int, _Job]] = []
            for lane in range(lanes):
                if jobs[lane] is None and waiting:
                    # The largest waits no more: then none is open.
                    if not plan.open(-waiting[0].negative_size):
                        waiting.clear()
                    else:
                        jobs[lane], read[lane] = heapq.heappop(waiting), 0
                job = jobs[lane]
                if job is not None:
                    active.append((lane, job))
            if not active:
                return trie.finish()
            symbols, reset = np.zeros(lanes, np.int32), np.zeros(lanes, np.bool_)
            for lane, job in active:
                symbols[lane], reset[lane] = job.text[read[lane]], read[lane] == 0
                read[lane] += 1
            frequencies = model.step(state, symbols, reset)
            arrived = [(lane, job) for lane, job in active if read[lane] == len(job.text)]
            rows = [lane for lane, _ in arrived]
            children = trie.expand([job for _, job in arrived], frequencies[rows])
            for lane, own in zip(rows, children, strict=True):
                largest = min(own, default=None)
                jobs[lane] = largest
                for child in own:
                    if child is not largest:
                        heapq.heappush(waiting, child)


class _Trie:
    """The texts found so far: parents before children, children of one parent in symbol order."""

    def __init__(self, plan: Plan, precision: int) -> None:
        self.size = 0
        self._plan = plan
        self._precision = precision
        self._parents: list[Integers] = []
        self._symbols: list[npt.NDArray[np.uint16]] = []
        self._weights: list[npt.NDArray[np.uint64]] = []
        self._weight_of: dict[int, int] = {-1: root_weight(precision)}  # of texts that wait

    def expand(self, jobs: list[_Job], frequencies: Frequencies) -> list[list[_Job]]:
        """Write down the children of each job's text; return those that may have children again.

        Args:
          jobs: either the root alone, or none of them the root.
          frequencies: uint32[jobs, 257], what follows each text.
        """
        check(frequencies, self._precision)
        root = bool(jobs) and not jobs[0].text
        nodes = np.array([job.node for job in jobs], np.int64)
        sizes = -np.array([job.negative_size for job in jobs], np.int64)
        weights = np.array([self._weight_of.pop(job.node) for job in jobs], np.uint64)
        of_children = weights[:, None] * frequencies >> np.uint64(self._precision)
        found = self._plan.children(sizes, of_children, frequencies, root)
        rows, symbols = np.nonzero(found >= 0)
        kept = (rows, symbols, of_children[rows, symbols], found[rows, symbols])
        first, self.size = self.size, self.size + len(rows)
        self._parents.append(nodes[rows])
        self._symbols.append(symbols.astype(np.uint16))
        self._weights.append(kept[2])
        out: list[list[_Job]] = [[] for _ in jobs]
        for node, (row, symbol, weight, size) in enumerate(
            zip(*(column.tolist() for column in kept), strict=True), first
        ):
            if self._plan.open(size):
                out[row].append(_Job(-size, node, (*jobs[row].text, symbol)))
                self._weight_of[node] = weight
        return out

    def finish(self) -> Texts:
        """Keep what the plan chooses, and number it in lexicographic order."""
        parents = np.concatenate(self._parents)
        symbols = np.concatenate(self._symbols)
        weights = np.concatenate(self._weights)
        keep = self._plan.chosen(weights, _preorder(parents))
        place = np.cumsum(keep) - 1
        parents = np.where(parents[keep] < 0, -1, place[parents[keep]])
        codes = _preorder(parents)
        by_code = np.argsort(codes)
        parents = np.where(parents < 0, -1, codes[parents])[by_code]
        texts, offsets = _spell(parents, symbols[keep][by_code])
        return texts, offsets, information_of(weights[keep][by_code], self._precision)


@njit(cache=True, nogil=True)
def _preorder(parents: Integers) -> Integers:
    """Each node's place in preorder: int64[n]. Siblings must stand in symbol order."""
    sizes = np.ones(len(parents), np.int64)
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            sizes[parents[node]] += sizes[node]
    out = np.empty(len(parents), np.int64)
    next_child = np.empty(len(parents), np.int64)
    next_single = 0
    for node in range(len(parents)):
        parent = parents[node]
        if parent >= 0:
            out[node] = next_child[parent]
            next_child[parent] += sizes[node]
        else:
            out[node] = next_single
            next_single += sizes[node]
        next_child[node] = out[node] + 1
    return out


@njit(cache=True, nogil=True)
def _spell(
    parents: Integers, symbols: npt.NDArray[np.uint16]
) -> tuple[npt.NDArray[np.uint16], Integers]:
    """Texts and offsets of nodes in preorder."""
    offsets = np.zeros(len(parents) + 1, np.int64)
    for code in range(len(parents)):  # a parent's code is below its children's
        parent = parents[code]
        length = 1 if parent < 0 else offsets[parent + 1] - offsets[parent] + 1
        offsets[code + 1] = offsets[code] + length
    texts = np.empty(offsets[-1], np.uint16)
    for code in range(len(parents)):
        place = offsets[code]
        parent = parents[code]
        if parent >= 0:
            for i in range(offsets[parent], offsets[parent + 1]):
                texts[place] = texts[i]
                place += 1
        texts[place] = symbols[code]
    return texts, offsets
