"""How a CPU with AVX2 and no more sees numba's code, on a newer one."""

import llvmlite.binding as llvm


def environment() -> dict[str, str]:
    """Variables of a process in which numba compiles for AVX2.

    There LLVM also makes VNNI instructions of what is meant for AVX2, and uses twice the registers.
    """
    features = ",".join(
        ("-" if name.startswith("avx") and name not in ("avx", "avx2") else "+") + name
        for name, present in sorted(llvm.get_host_cpu_features().items())
        if present
    )
    return {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": features}
