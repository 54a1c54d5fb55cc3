"""How cffi builds `basketry.kernels._kernels`: plain C11, no flags that tie it to one processor.

Every header in this folder is declared to cffi, every C file compiled: a kernel is a pair of files. Lines that begin with `#`
are for the compiler alone, so a header holds declarations and no macros.
"""

from pathlib import Path

from cffi import FFI

_HERE = Path("src/basketry/kernels")
_HEADERS = sorted(_HERE.glob("*.h"), key=lambda path: (path.stem != "kernels", path.stem))
_DECLARATIONS = "\n".join(
    line for header in _HEADERS for line in header.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
)

ffi = FFI()
ffi.cdef(_DECLARATIONS)
ffi.set_source(
    "basketry.kernels._kernels",
    "\n".join(f'#include "{header.name}"' for header in _HEADERS),
    sources=sorted(str(path) for path in _HERE.glob("*.c") if path.stem != "_kernels"),
    include_dirs=[str(_HERE)],
    depends=[str(header) for header in [*_HEADERS, *_HERE.glob("*.inc")]],
    libraries=["m"],
    extra_compile_args=["-std=c11", "-O3", "-fno-math-errno", "-Wall", "-Wextra"],
)
