/* Walks through regression trees, as LightGBM's numerical splits decide them, and the Shapley values of their features:
   Lundberg et al., From local explanations to global understanding with explainable AI for trees (2020), algorithm 2. */

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

/* The leaf of tree t that row x reaches. */
static double walk(const forest *of, int64_t t, const float *x)
{
    int64_t first = of->split_start[t];
    const double *leaf = of->leaf + of->leaf_start[t];
    if (of->split_start[t + 1] == first)
        return leaf[0];
    for (int64_t split = first;;) {
        int32_t next = of->child[2 * split + !goes_left(of, split, x[of->feature[split]])];
        if (next < 0)
            return leaf[-1 - next];
        split = first + next;
    }
}

void forest_predict(const forest *of, int64_t n, const float *x, double *out)
{
    for (int64_t r = 0; r < n; r++) {
        out[r] = 0;
        for (int64_t t = 0; t < of->n_trees; t++)
            out[r] += walk(of, t, x + r * of->n_features);
    }
}

/* The features on the way to a leaf, each once: of the rows at its splits the share that goes that way, and whether x does. */
typedef struct {
    double *share;
    double *goes;
    double *feature;
    double *weight;
} way;

static int64_t way_to(const forest *of, int64_t t, int64_t leaf, const float *x, way to)
{
    int64_t first = of->split_start[t], features = 0;
    double cover = of->leaf_cover[leaf];
    for (int32_t at = of->leaf_parent[leaf]; at >= 0;) {
        int64_t split = first + at / 2, i = 0;
        int32_t feature = of->feature[split];
        while (i < features && to.feature[i] != feature)
            i++;
        if (i == features) {
            to.feature[i] = feature;
            to.share[i] = to.goes[i] = 1;
            features++;
        }
        to.share[i] *= cover / of->cover[split];
        to.goes[i] *= (at % 2 == 0) == (goes_left(of, split, x[feature]) != 0);
        cover = of->cover[split];
        at = of->parent[split];
    }
    return features;
}

/* weight[s] becomes the sum over sets of s of the features of prod(goes in the set) prod(share of the others), times
   s! (d - s)! / (d + 1)!; Lundberg's EXTEND, which keeps these sums between 0 and 1. */
static void extend(way to, int64_t d, double share, double goes)
{
    to.weight[d] = d == 0;
    for (int64_t s = d - 1; s >= 0; s--) {
        to.weight[s + 1] += goes * to.weight[s] * (double)(s + 1) / (double)(d + 1);
        to.weight[s] = share * to.weight[s] * (double)(d - s) / (double)(d + 1);
    }
}

/* The sum of the weights once feature i is taken out again; Lundberg's UNWIND. */
static double without(way to, int64_t d, int64_t i)
{
    double share = to.share[i], goes = to.goes[i], next = to.weight[d], total = 0;
    for (int64_t s = d - 1; s >= 0; s--) {
        if (goes != 0) {
            double own = next * (double)(d + 1) / ((double)(s + 1) * goes);
            next = to.weight[s] - own * share * (double)(d - s) / (double)(d + 1);
            total += own;
        } else {
            total += to.weight[s] / share * (double)(d + 1) / (double)(d - s);
        }
    }
    return total;
}

void forest_shapley(const forest *of, int64_t n, const float *x, double *scratch, double *out)
{
    int64_t most = of->n_features + 1;
    way to = {scratch, scratch + most, scratch + 2 * most, scratch + 3 * most};
    for (int64_t r = 0; r < n; r++, x += of->n_features) {
        double *row = out + r * (of->n_features + 1);
        for (int64_t f = 0; f <= of->n_features; f++)
            row[f] = 0;
        for (int64_t t = 0; t < of->n_trees; t++)
            for (int64_t leaf = of->leaf_start[t]; leaf < of->leaf_start[t + 1]; leaf++) {
                int64_t d = way_to(of, t, leaf, x, to);
                double value = of->leaf[leaf], nothing = value;
                extend(to, 0, 1, 1);
                for (int64_t i = 0; i < d; i++) {
                    extend(to, i + 1, to.share[i], to.goes[i]);
                    nothing *= to.share[i];
                }
                for (int64_t i = 0; i < d; i++)
                    row[(int64_t)to.feature[i]] += without(to, d, i) * (to.goes[i] - to.share[i]) * value;
                row[of->n_features] += nothing;
            }
    }
}
