"""How cffi builds `basketry.kernels._kernels`: plain C11, no flags that tie it to one processor."""

from pathlib import Path

from cffi import FFI

_HERE = Path("src/basketry/kernels")
_DECLARATIONS = "\n".join(
    line for line in (_HERE / "kernels.h").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
)

ffi = FFI()
ffi.cdef(_DECLARATIONS)
ffi.set_source(
    "basketry.kernels._kernels",
    '#include "kernels.h"',
    sources=[str(_HERE / "pairs.c"), str(_HERE / "hypergeometric.c")],
    include_dirs=[str(_HERE)],
    depends=[str(_HERE / "kernels.h")],
    libraries=["m"],
    extra_compile_args=["-std=c11", "-O3", "-fno-math-errno", "-Wall", "-Wextra"],
)
