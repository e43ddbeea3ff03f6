"""How an older CPU sees numba's code, on a newer one."""

import llvmlite.binding as llvm


def environment(kernel: str) -> dict[str, str]:
    """Variables of a process in which numba compiles for no more than a kernel of M1 needs.

    Else LLVM makes VNNI instructions of what is meant for AVX2, and uses twice the registers; and
    AVX2 instructions of what is meant for any CPU.
    """
    if kernel == "portable":
        return {"NUMBA_CPU_NAME": "generic"}
    if kernel != "avx2":
        return {}
    features = ",".join(
        ("-" if name.startswith("avx") and name not in ("avx", "avx2") else "+") + name
        for name, present in sorted(llvm.get_host_cpu_features().items())
        if present
    )
    return {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": features}
