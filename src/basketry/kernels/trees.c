/* Prefix trees, read. */

#include "trees.h"

void tree_lengths(int64_t m, const int32_t *parent, int32_t *length)
{
    for (int64_t i = 0; i < m; i++)
        length[i] = parent[i] < 0 ? 1 : length[parent[i]] + 1;
}

void tree_flatten(int64_t n, const int32_t *nodes, const int32_t *parent, const int32_t *item, const int64_t *start,
                  int32_t *items)
{
    for (int64_t k = 0; k < n; k++) {
        int32_t *row = items + start[k];
        int64_t size = 0;
        for (int32_t node = nodes[k]; node >= 0; node = parent[node]) {
            int64_t at = size++;
            for (; at > 0 && row[at - 1] > item[node]; at--)
                row[at] = row[at - 1];
            row[at] = item[node];
        }
    }
}

void tree_needed(int64_t m, const int32_t *parent, const int32_t *support, uint8_t *needed)
{
    for (int64_t i = m - 1; i >= 0; i--) {
        needed[i] |= support[i] > 0;
        if (needed[i] && parent[i] >= 0)
            needed[parent[i]] = 1;
    }
}
