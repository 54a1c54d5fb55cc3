#pragma once
#include <stdint.h>

/* Baskets of chance. `state` is that of xoshiro256++ (D. Blackman and S. Vigna, 2021): four words, not all zero, carried on
   from call to call. */

/* For each item i in [first, last) write frequency[i] different baskets of [0, n), each such set as likely as any other, one
   item after another into `drawn`. stamp [n] holds no number in [first, last) when it comes in. */
void draw_baskets(int64_t n, int64_t first, int64_t last, const int32_t *frequency, uint64_t *state, int32_t *stamp,
                  int32_t *drawn);

/* Turn the baskets of each item (frequency[i] of them in `drawn`, item after item) into rows: indptr [n + 1] comes in as
   zeros, items is as long as drawn. Rows come out ascending. */
void gather_rows(int64_t n, int64_t n_items, const int32_t *frequency, const int32_t *drawn, int64_t *indptr, int32_t *items);

/* Put order [n] into an order of chance. */
void shuffle_order(int64_t n, int32_t *order, uint64_t *state);

/* Let the baskets order[2 i] and order[2 i + 1] trade, for i in [first, last): what only one of the two holds is pooled and dealt
   anew, each keeping its size. Rows are ascending and stay so. scratch has room for six times the largest row. */
void trade_baskets(int64_t first, int64_t last, int64_t largest, const int64_t *indptr, const int32_t *order, int32_t *items,
                   uint64_t *state, int32_t *scratch);
