/* Ridge regressions. With D the diagonal and Z the entries' y, each times sqrt(weight) and, by column, D^-1/2, the solution is

       x = D^-1/2 (I + Z^T Z)^-1 Z^T sqrt(weight) = D^-1/2 Z^T (I + Z Z^T)^-1 sqrt(weight),

   a system of dim unknowns or of as many as the row has entries: the smaller is solved, by Cholesky, and its matrix is never
   worse conditioned than 1 + |Z|^2. */

#include <math.h>
#include "kernels.h"
#include "ridge.h"

enum { BYTES = 32, ENTRIES = 64 }; /* of a vector; taken at a time of a long row */

#define INLINE static inline __attribute__((always_inline))

/* Rows of matrices are padded to whole pairs of vectors, of whichever numbers. */
static int64_t padded(int64_t n, int64_t size)
{
    int64_t pair = 2 * BYTES / size;
    return (n + pair - 1) / pair * pair;
}

int64_t ridge_scratch(int64_t dim)
{
    int64_t most = padded(dim, sizeof(float));
    return (int64_t)sizeof(double) * (most * (most > ENTRIES ? most : ENTRIES) + most * most + 3 * most) + BYTES;
}

#define REAL float
#define ROOT sqrtf
#define OF(name) name##_single
#include "ridge.inc"

#define REAL double
#define ROOT sqrt
#define OF(name) name##_double
#include "ridge.inc"
