/* The part of a CSR that a range of anchors needs: baskets with an anchor, and of those only what is no rarer than the range. */

#include <stdlib.h>
#include "kernels.h"
#include "projection.h"

enum { SHORT = 24 };

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a;
    int32_t y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void sort_ranks(int32_t *ranks, int64_t n)
{
    if (n > SHORT) {
        qsort(ranks, (size_t)n, sizeof *ranks, ascending);
        return;
    }
    for (int64_t i = 1; i < n; i++) {
        int32_t moved = ranks[i];
        int64_t j = i;
        for (; j > 0 && ranks[j - 1] > moved; j--)
            ranks[j] = ranks[j - 1];
        ranks[j] = moved;
    }
}

void measure_anchors(int64_t n, const int64_t *indptr, const int32_t *items, const int32_t *rank, int32_t *scratch,
                     int64_t *held, int64_t *baskets)
{
    for (int64_t t = 0; t < n; t++) {
        int64_t kept = 0;
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++)
            if (rank[items[k]] >= 0)
                scratch[kept++] = rank[items[k]];
        sort_ranks(scratch, kept);
        for (int64_t i = 0; i < kept; i++) {
            held[scratch[i]] += i + 1;
            baskets[scratch[i]]++;
        }
    }
}

int64_t project_baskets(int64_t n, const int64_t *indptr, const int32_t *items, const int32_t *rank, int32_t first,
                        int32_t last, int64_t already, int64_t room_items, int64_t room_baskets, int32_t *out_items,
                        int64_t *out_ends, int32_t *out_which)
{
    int64_t written = 0;
    int64_t found = 0;
    for (int64_t t = 0; t < n; t++) {
        int64_t kept = 0;
        int anchored = 0;
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int32_t r = rank[items[k]];
            kept += r >= 0 && r < last;
            anchored |= r >= first && r < last;
        }
        if (!anchored)
            continue;
        if (written + kept > room_items || found == room_baskets)
            return -1;
        int32_t *row = out_items + written;
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int32_t r = rank[items[k]];
            if (r >= 0 && r < last)
                out_items[written++] = r;
        }
        sort_ranks(row, kept);
        out_ends[found] = already + written;
        out_which[found++] = (int32_t)t;
    }
    return found;
}
