"""Small matrix products of bytes, exact in int32: AVX-512 or AVX2 VNNI where the CPU has it.

One kernel serves projections and attention: `tile` multiplies R rows of four-byte groups by
V vectors of columns. `vpdpbusd` adds four products of an unsigned and a signed byte to an int32 in
one instruction, without saturation; numba reaches it through LLVM.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Tile = Callable[..., None]

ROWS = 6
"""Rows of the large tiles; blocks of rows are padded to a multiple."""

PORTABLE, AVX_VNNI, AVX512_VNNI = range(3)
KERNELS = {"portable": PORTABLE, "avx_vnni": AVX_VNNI, "avx512_vnni": AVX512_VNNI}


def able() -> list[str]:
    """Kernels that this CPU can run, the fastest first."""
    features = llvm.get_host_cpu_features()
    out = ["portable"]
    if features.get("avxvnni") or (features.get("avx512vnni") and features.get("avx512vl")):
        out.insert(0, "avx_vnni")
    if features.get("avx512vnni"):
        out.insert(0, "avx512_vnni")
    return out


def make_tile(rows: int, columns: int, signed_rows: bool) -> Tile:
    """A compiled product of `rows` rows with `columns` columns.

    Args:
      rows: R, 1 or even.
      columns: 16, or a multiple of 32.
      signed_rows: the rows are int8 and the columns uint8; else the other way round.

    Returns:
      tile(kernel, a, a_at, a_step, b, b_at, k_step, v_step, groups, init, init_at, c, c_at,
      c_step), kernel a value of KERNELS: for row r < R and column j,
      c[c_at + r c_step + j] = init[init_at + j] + the sum over g < groups and i < 4 of
      a[a_at + r a_step + 4 g + i] b[b_at + (j // 16) v_step + g k_step + 4 (j % 16) + i].
      Arrays are flat: a and b of bytes, init and c int32; groups is at least 1.
    """
    wide = _vnni(rows, columns, 16, signed_rows)
    # 16 registers hold the sums of two rows and 32 columns.
    sub_rows, sub_columns = min(rows, 2), min(columns, 32)
    narrow = _vnni(sub_rows, sub_columns, 8, signed_rows)

    @njit(nogil=True)
    def tile(
        kernel: int, a: Any, a_at: int, a_step: int, b: Any, b_at: int, k_step: int, v_step: int,
        groups: int, init: Any, init_at: int, c: Any, c_at: int, c_step: int,
    ) -> None:  # fmt: skip
        at_a, at_b = a.ctypes.data + a_at, b.ctypes.data + b_at
        at_init, at_c = init.ctypes.data + 4 * init_at, c.ctypes.data + 4 * c_at
        if kernel == AVX512_VNNI:
            wide(at_a, a_step, at_b, k_step, v_step, groups, at_init, at_c, 4 * c_step)
            return
        if kernel == AVX_VNNI:
            for row in range(0, rows, sub_rows):
                for column in range(0, columns, sub_columns):
                    narrow(
                        at_a + row * a_step, a_step, at_b + column // 16 * v_step, k_step, v_step,
                        groups, at_init + 4 * column, at_c + 4 * (row * c_step + column),
                        4 * c_step,
                    )  # fmt: skip
            return
        for row in range(rows):
            out = c_at + row * c_step
            for column in range(columns):
                c[out + column] = init[init_at + column]
            for group in range(groups):
                place = a_at + row * a_step + 4 * group
                x0, x1 = np.int32(a[place]), np.int32(a[place + 1])
                x2, x3 = np.int32(a[place + 2]), np.int32(a[place + 3])
                for vector in range(columns // 16):
                    at = b_at + vector * v_step + group * k_step
                    for j in range(16):
                        total = x0 * np.int32(b[at + 4 * j]) + x1 * np.int32(b[at + 4 * j + 1])
                        total += x2 * np.int32(b[at + 4 * j + 2]) + x3 * np.int32(b[at + 4 * j + 3])
                        c[out + 16 * vector + j] += np.int32(total)

    return tile


def _vnni(rows: int, columns: int, width: int, signed_rows: bool) -> Any:
    """An intrinsic on addresses and steps in bytes; `width` int32 numbers are a vector, 16 or 8.

    For a CPU that lacks the instructions it is compiled to nothing: nobody calls it there.
    """
    name = "avx512_vnni" if width == 16 else "avx_vnni"

    @intrinsic
    def product(
        typing: Any, a: Any, a_step: Any, b: Any, k_step: Any, v_step: Any, groups: Any,
        init: Any, c: Any, c_step: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if name in able():
                _emit(builder, args, rows, columns, width, signed_rows)
            return context.get_dummy_value()

        return types.void(*(types.intp,) * 9), generate

    return product


def _emit(builder: Any, args: Any, rows: int, columns: int, width: int, signed_rows: bool) -> None:
    """LLVM code of one tile: a loop over groups with all sums in registers."""
    a, a_step, b, k_step, v_step, groups, init, c, c_step = args
    vectors, parts = columns // width, 16 // width
    i32, i64 = ir.IntType(32), ir.IntType(64)
    numbers, bytes_ = ir.VectorType(i32, width), ir.VectorType(ir.IntType(8), 4 * width)
    add_products = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(numbers, [numbers, bytes_, bytes_]),
        f"llvm.x86.avx512.vpdpbusd.{32 * width}",
    )

    def at(address: Any, kind: Any) -> Any:
        return builder.inttoptr(address, kind.as_pointer())

    def load(address: Any, kind: Any) -> Any:
        value = builder.load(at(address, kind))
        value.align = 1
        return value

    def plus(address: Any, bytes_further: int) -> Any:
        return builder.add(address, ir.Constant(i64, bytes_further))

    first = [load(plus(init, 4 * width * v), numbers) for v in range(vectors)]
    # Addresses of the vectors' columns and of the rows, before the loop.
    b_of = []
    for v in range(vectors):
        sixteen = builder.add(b, builder.mul(v_step, ir.Constant(i64, v // parts)))
        b_of.append(plus(sixteen, 4 * width * (v % parts)))
    a_of = [builder.add(a, builder.mul(a_step, ir.Constant(i64, r))) for r in range(rows)]
    before = builder.block
    loop, after = builder.append_basic_block("groups"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    group = builder.phi(i64)
    group.add_incoming(ir.Constant(i64, 0), before)
    sums = [[builder.phi(numbers) for _ in range(vectors)] for _ in range(rows)]
    shift_b = builder.mul(group, k_step)
    shift_a = builder.mul(group, ir.Constant(i64, 4))
    loaded = [load(builder.add(address, shift_b), bytes_) for address in b_of]
    undefined = ir.Constant(numbers, ir.Undefined)
    all_first = ir.Constant(ir.VectorType(i32, width), [0] * width)
    results: list[list[Any]] = []
    for r in range(rows):
        four = load(builder.add(a_of[r], shift_a), i32)
        spread = builder.insert_element(undefined, four, ir.Constant(i32, 0))
        spread = builder.bitcast(builder.shuffle_vector(spread, undefined, all_first), bytes_)
        results.append([])
        for v in range(vectors):
            pair = [loaded[v], spread] if signed_rows else [spread, loaded[v]]
            results[r].append(builder.call(add_products, [sums[r][v], *pair]))
    following = builder.add(group, ir.Constant(i64, 1))
    group.add_incoming(following, loop)
    for r in range(rows):
        for v in range(vectors):
            sums[r][v].add_incoming(first[v], before)
            sums[r][v].add_incoming(results[r][v], loop)
    builder.cbranch(builder.icmp_signed("<", following, groups), loop, after)
    builder.position_at_end(after)
    for r in range(rows):
        row = builder.add(c, builder.mul(c_step, ir.Constant(i64, r)))
        for v in range(vectors):
            builder.store(results[r][v], at(plus(row, 4 * width * v), numbers)).align = 1
