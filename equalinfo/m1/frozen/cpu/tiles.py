"""Small matrix products of bytes, exact in int32, with the best instructions a CPU has.

One kernel serves projections and attention: `tile` multiplies R rows of four-byte groups by
V vectors of columns. Where a CPU has VNNI, `vpdpbusd` adds four products of an unsigned and a
signed byte to an int32 in one instruction, without saturation. Without it bytes are widened to 16
bits, and a product of pairs (`vpmaddwd` in AVX2, what LLVM finds elsewhere) adds two: as many in
an instruction as two of float32, from a quarter of the memory. numba reaches all through LLVM.
"""

import os
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Tile = Callable[..., None]

ROWS = 6
"""Rows of the large tiles; blocks of rows are padded to a multiple."""

PORTABLE, AVX2, AVX_VNNI, AVX512_VNNI = range(4)
KERNELS = {"portable": PORTABLE, "avx2": AVX2, "avx_vnni": AVX_VNNI, "avx512_vnni": AVX512_VNNI}
KERNEL_VARIABLE = "EQUALINFO_KERNEL"


def able() -> list[str]:
    """Kernels that this CPU can run and numba compiles for, the fastest first."""
    features = _features()
    out = ["portable"]
    if features("avx2"):
        out.insert(0, "avx2")
    if features("avxvnni") or features("avx512vnni", "avx512vl"):
        out.insert(0, "avx_vnni")
    if features("avx512vnni"):
        out.insert(0, "avx512_vnni")
    return out


def choose(kernel: str | None = None) -> str:
    """The kernel to run: the one given, else what EQUALINFO_KERNEL says, else the fastest.

    Raises:
      ValueError: there is no such kernel, or this CPU lacks its instructions.
    """
    wanted = kernel or os.environ.get(KERNEL_VARIABLE)
    runs_here = able()
    if not wanted:
        return runs_here[0]
    if wanted not in runs_here:
        source = "kernel" if kernel else KERNEL_VARIABLE
        why = (
            f"is no kernel. There are {', '.join(KERNELS)}"
            if wanted not in KERNELS
            else "needs instructions that are missing here"
        )
        raise ValueError(
            f"{source}={wanted!r} {why}; this CPU can run {', '.join(runs_here)}. Leave it out to "
            "get the fastest."
        )
    return wanted


def _features() -> Callable[..., bool]:
    """Whether code may use some features: of this CPU, or fewer where NUMBA_CPU_FEATURES says."""
    host = llvm.get_host_cpu_features()
    wanted = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    chosen = None if wanted is None else wanted.split(",")
    return lambda *names: all(
        host.get(name, False) and (chosen is None or f"+{name}" in chosen) for name in names
    )


def make_tile(rows: int, columns: int, signed_rows: bool) -> Tile:
    """A compiled product of `rows` rows with `columns` columns.

    Args:
      rows: R, 1 or even.
      columns: 16, or a multiple of 32.
      signed_rows: the rows are int8 and the columns uint8; else the other way round.

    Returns:
      tile(kernel, a, wide, a_at, a_step, b, b_at, k_step, v_step, groups, init, init_at, c, c_at,
      c_step), kernel a value of KERNELS: for row r < R and column j,
      c[c_at + r c_step + j] = init[init_at + j] + the sum over g < groups and i < 4 of
      a[a_at + r a_step + 4 g + i] b[b_at + (j // 16) v_step + g k_step + 4 (j % 16) + i].
      Arrays are flat: a and b of bytes, init and c int32; groups is at least 1. `wide` int16 is
      what `widen` made of `a`.
    """
    # Registers hold the sums: 24 of 32; 8 of 16 (two rows, 32 columns); 12 of 16, or 8.
    wide_vnni = _product("avx512_vnni", rows, columns, signed_rows)
    few_rows, few_columns = min(rows, 2), min(columns, 32)
    narrow_vnni = _product("avx_vnni", few_rows, few_columns, signed_rows)
    pair_columns = 8 if rows > 1 else few_columns
    avx2_pairs = _product("avx2", rows, pair_columns, signed_rows)
    pairs = _product("portable", rows, pair_columns, signed_rows)

    def tile(
        kernel: int, a: Any, wide: Any, a_at: int, a_step: int, b: Any, b_at: int, k_step: int,
        v_step: int, groups: int, init: Any, init_at: int, c: Any, c_at: int, c_step: int,
    ) -> None:  # fmt: skip
        at_a, at_b = a.ctypes.data + a_at, b.ctypes.data + b_at
        at_init, at_c = init.ctypes.data + 4 * init_at, c.ctypes.data + 4 * c_at
        if kernel == AVX512_VNNI:
            wide_vnni(at_a, a_step, at_b, k_step, v_step, groups, at_init, at_c, 4 * c_step)
        elif kernel == AVX_VNNI:
            for row in range(0, rows, few_rows):
                for column in range(0, columns, few_columns):
                    narrow_vnni(
                        at_a + row * a_step, a_step, at_b + column // 16 * v_step, k_step, v_step,
                        groups, at_init + 4 * column, at_c + 4 * (row * c_step + column),
                        4 * c_step,
                    )  # fmt: skip
        else:
            at_wide = wide.ctypes.data + 2 * a_at
            for column in range(0, columns, pair_columns):
                at_column = at_b + column // 16 * v_step + column % 16 * 4
                if kernel == AVX2:
                    avx2_pairs(
                        at_wide, 2 * a_step, at_column, k_step, v_step, groups,
                        at_init + 4 * column, at_c + 4 * column, 4 * c_step,
                    )  # fmt: skip
                else:
                    pairs(
                        at_wide, 2 * a_step, at_column, k_step, v_step, groups,
                        at_init + 4 * column, at_c + 4 * column, 4 * c_step,
                    )  # fmt: skip

    # What calls it is kept, and holds it under its name and a number, which every process counts
    # anew: with one name for all, what two processes have kept would use each other's tiles.
    tile.__qualname__ = f"tile_{rows}x{columns}_{'signed' if signed_rows else 'unsigned'}"
    return njit(nogil=True)(tile)


@njit(nogil=True)
def widen(kernel: int, x: Any, out: Any, count: int) -> None:
    """out[:count] int16 = x[:count] of bytes, for kernels that read it."""
    if kernel <= AVX2:
        for i in range(count):
            out[i] = np.int16(x[i])


def _product(kernel: str, rows: int, columns: int, signed_rows: bool) -> Any:
    """An intrinsic on addresses and steps in bytes.

    For a CPU that lacks the instructions it is compiled to nothing: nobody calls it there.
    """

    @intrinsic
    def product(
        typing: Any, a: Any, a_step: Any, b: Any, k_step: Any, v_step: Any, groups: Any,
        init: Any, c: Any, c_step: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if kernel in able():
                scheme = _Vnni if kernel.endswith("vnni") else _Pairs
                _emit(builder, args, rows, columns, scheme(builder, kernel, signed_rows))
            return context.get_dummy_value()

        return types.void(*(types.intp,) * 9), generate

    return product


_I32, _I64 = ir.IntType(32), ir.IntType(64)


class _Vnni:
    """Four products of bytes an int32: `vpdpbusd`.

    Attributes:
      columns: that a vector of sums holds.
      a_bytes: of a group of four of a row.
      sums: type of the vector.
    """

    a_bytes = 4

    def __init__(self, builder: Any, kernel: str, signed_rows: bool) -> None:
        self.columns = 16 if kernel == "avx512_vnni" else 8
        self.sums = ir.VectorType(_I32, self.columns)
        self._builder, self._signed_rows = builder, signed_rows
        self._bytes = ir.VectorType(ir.IntType(8), 4 * self.columns)
        self._function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(self.sums, [self.sums, self._bytes, self._bytes]),
            f"llvm.x86.avx512.vpdpbusd.{32 * self.columns}",
        )

    def columns_at(self, address: Any) -> Any:
        return _load(self._builder, address, self._bytes)

    def row_at(self, address: Any) -> Any:
        return _spread(self._builder, address, self.columns, _I32, self._bytes)

    def add(self, sums: Any, row: Any, columns: Any) -> Any:
        pair = [columns, row] if self._signed_rows else [row, columns]
        return self._builder.call(self._function, [sums, *pair])

    def totals(self, sums: list[Any]) -> list[Any]:
        return sums


class _Pairs:
    """Two products of 16-bit numbers an int32: `vpmaddwd`, or what LLVM makes of such a sum.

    A vector holds four columns, each twice: groups' first and last pairs.
    """

    columns, a_bytes = 4, 8
    sums = ir.VectorType(_I32, 8)

    def __init__(self, builder: Any, kernel: str, signed_rows: bool) -> None:
        self._builder, self._signed_rows = builder, signed_rows
        self._words = ir.VectorType(ir.IntType(16), 16)
        self._function = None
        if kernel == "avx2":
            self._function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(self.sums, [self._words, self._words]),
                "llvm.x86.avx2.pmadd.wd",
            )

    def columns_at(self, address: Any) -> Any:
        found = _load(self._builder, address, ir.VectorType(ir.IntType(8), 16))
        extend = self._builder.zext if self._signed_rows else self._builder.sext
        return extend(found, self._words)

    def row_at(self, address: Any) -> Any:
        return _spread(self._builder, address, 4, _I64, self._words)

    def add(self, sums: Any, row: Any, columns: Any) -> Any:
        builder = self._builder
        if self._function is not None:
            return builder.add(sums, builder.call(self._function, [row, columns]))
        numbers = ir.VectorType(_I32, 16)
        products = builder.mul(builder.sext(row, numbers), builder.sext(columns, numbers))
        return builder.add(sums, self._add_neighbours(products, products))

    def totals(self, sums: list[Any]) -> list[Any]:
        """Of each two vectors, one of eight columns."""
        return [self._add_neighbours(*sums[v : v + 2]) for v in range(0, len(sums), 2)]

    def _add_neighbours(self, x: Any, y: Any) -> Any:
        """Eight sums of neighbours in x and y, or in x alone where it has 16."""
        even, odd = (
            self._builder.shuffle_vector(x, y, ir.Constant(self.sums, list(range(first, 16, 2))))
            for first in (0, 1)
        )
        return self._builder.add(even, odd)


def _emit(builder: Any, args: Any, rows: int, columns: int, scheme: Any) -> None:
    """LLVM code of one tile: a loop over groups with all sums in registers."""
    a, a_step, b, k_step, v_step, groups, init, c, c_step = args
    width = scheme.columns
    vectors = columns // width
    sums_type = scheme.sums

    def plus(address: Any, bytes_further: int) -> Any:
        return builder.add(address, ir.Constant(_I64, bytes_further))

    # Addresses of the vectors' columns and of the rows, before the loop.
    b_of = []
    for v in range(vectors):
        sixteen = builder.add(b, builder.mul(v_step, ir.Constant(_I64, v * width // 16)))
        b_of.append(plus(sixteen, 4 * (v * width % 16)))
    a_of = [builder.add(a, builder.mul(a_step, ir.Constant(_I64, r))) for r in range(rows)]
    before = builder.block
    loop, after = builder.append_basic_block("groups"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    group = builder.phi(_I64)
    group.add_incoming(ir.Constant(_I64, 0), before)
    sums = [[builder.phi(sums_type) for _ in range(vectors)] for _ in range(rows)]
    shift_b = builder.mul(group, k_step)
    shift_a = builder.mul(group, ir.Constant(_I64, scheme.a_bytes))
    loaded = [scheme.columns_at(builder.add(address, shift_b)) for address in b_of]
    results: list[list[Any]] = []
    for r in range(rows):
        row = scheme.row_at(builder.add(a_of[r], shift_a))
        results.append([scheme.add(sums[r][v], row, loaded[v]) for v in range(vectors)])
    following = builder.add(group, ir.Constant(_I64, 1))
    group.add_incoming(following, loop)
    zero = ir.Constant(sums_type, None)
    for r in range(rows):
        for v in range(vectors):
            sums[r][v].add_incoming(zero, before)
            sums[r][v].add_incoming(results[r][v], loop)
    builder.cbranch(builder.icmp_signed("<", following, groups), loop, after)
    builder.position_at_end(after)
    totals = [scheme.totals(row) for row in results]
    size = 4 * sums_type.count
    first = [_load(builder, plus(init, size * i), sums_type) for i in range(len(totals[0]))]
    for r in range(rows):
        place = builder.add(c, builder.mul(c_step, ir.Constant(_I64, r)))
        for i, total in enumerate(totals[r]):
            _store(builder, builder.add(first[i], total), plus(place, size * i))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1
    return value


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def _spread(builder: Any, address: Any, times: int, kind: Any, out: Any) -> Any:
    """One integer of `kind`, so many times, as a vector of another type."""
    undefined = ir.Constant(ir.VectorType(kind, times), ir.Undefined)
    one = builder.insert_element(undefined, _load(builder, address, kind), ir.Constant(_I32, 0))
    all_first = ir.Constant(ir.VectorType(_I32, times), [0] * times)
    return builder.bitcast(builder.shuffle_vector(one, undefined, all_first), out)
