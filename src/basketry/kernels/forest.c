/* Walks through regression trees, as LightGBM's numerical splits decide them. */

#include <math.h>
#include "kernels.h"
#include "forest.h"

enum { DEFAULT_LEFT = 1, NAN_IS_MISSING = 2, ZERO_IS_MISSING = 4 };

static int goes_left(const forest *of, int64_t split, double x)
{
    int flags = of->flags[split];
    if (isnan(x)) {
        if (flags & NAN_IS_MISSING)
            return flags & DEFAULT_LEFT;
        x = 0;
    }
    if (flags & ZERO_IS_MISSING && fabs(x) <= 1e-35)
        return flags & DEFAULT_LEFT;
    return x <= of->threshold[split];
}

/* The leaf of tree t that row x reaches; adds to out, unless it is NULL, what each split changed. */
static double walk(const forest *of, int64_t t, const float *x, double *out)
{
    int64_t first = of->split_start[t];
    const double *leaf = of->leaf + of->leaf_start[t];
    if (of->split_start[t + 1] == first) {
        if (out)
            out[of->n_features] += leaf[0];
        return leaf[0];
    }
    if (out)
        out[of->n_features] += of->value[first];
    for (int64_t split = first;;) {
        int32_t feature = of->feature[split];
        int32_t next = of->child[2 * split + !goes_left(of, split, x[feature])];
        double after = next < 0 ? leaf[-1 - next] : of->value[first + next];
        if (out)
            out[feature] += after - of->value[split];
        if (next < 0)
            return after;
        split = first + next;
    }
}

void forest_predict(const forest *of, int64_t n, const float *x, double *out)
{
    for (int64_t r = 0; r < n; r++) {
        out[r] = 0;
        for (int64_t t = 0; t < of->n_trees; t++)
            out[r] += walk(of, t, x + r * of->n_features, 0);
    }
}

void forest_contribute(const forest *of, int64_t n, const float *x, double *out)
{
    for (int64_t r = 0; r < n; r++) {
        double *row = out + r * (of->n_features + 1);
        for (int64_t f = 0; f <= of->n_features; f++)
            row[f] = 0;
        for (int64_t t = 0; t < of->n_trees; t++)
            walk(of, t, x + r * of->n_features, row);
    }
}
