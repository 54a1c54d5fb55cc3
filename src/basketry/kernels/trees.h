#pragma once
#include <stdint.h>

/* length[i] = items of node i's itemset; parents stand before their children. */
void tree_lengths(int64_t m, const int32_t *parent, int32_t *length);

/* The itemsets of the nodes [n], ascending, into items from start[k] on; start comes from the lengths. */
void tree_flatten(int64_t n, const int32_t *nodes, const int32_t *parent, const int32_t *item, const int64_t *start,
                  int32_t *items);

/* needed[i] = 1 where node i is a member (its support is not 0) or lies on the way to one; comes in as zeros. */
void tree_needed(int64_t m, const int32_t *parent, const int32_t *support, uint8_t *needed);
