#pragma once
#include <stdint.h>

/* Baskets in both directions, items recoded by descending frequency ("rank"). Row t of the baskets holds the ranks
   rows[row_start[t] .. row_start[t+1]) in ascending order; rank r occurs in the baskets occ[occ_start[r] .. occ_start[r+1]),
   ascending. code[r] is the caller's own code of rank r. groups, partner and marks have one entry a basket, or are NULL. */
typedef struct {
    const int64_t *row_start;
    const int32_t *rows;
    const int64_t *occ_start;
    const int32_t *occ;
    const int32_t *code;
    const int32_t *groups;
    const int32_t *partner;
    const uint8_t *marks;
} basket_index;

/* One item's running counts under the present anchor; last is the last group that counted. */
typedef struct {
    int32_t count;
    int32_t groups;
    int32_t last;
    int32_t marked;
} tally;

/* What one thread needs: counters [n_ranks] or tallies [n_ranks], all zero before and after, touched [n_ranks + 1], and columns
   for the pairs of a block. groups and marked may be NULL when they are not asked for. */
typedef struct {
    int32_t *counters;
    tally *tallies;
    int32_t *touched;
    int32_t *a;
    int32_t *b;
    int32_t *count;
    int32_t *groups;
    int32_t *marked;
} workspace;

/* Check a CSR and count, per item, its baskets and its distinct groups. last_basket is scratch [n_items].
   Returns 0, or one of the SCAN_ codes with the offending basket in *where. */
int scan_baskets(int64_t n, int64_t n_items, int64_t nnz, const int64_t *indptr, const int32_t *items, const int32_t *groups,
                 int32_t *last_basket, int32_t *frequency, int32_t *group_frequency, int64_t *where);

/* Fill row_start, rows, occ and work from a checked CSR; rank[item] is -1 for an item left out. cursor [n_ranks] comes in as
   the first n_ranks entries of occ_start; fill [n] comes in as zeros. work[r] is how many co-items anchor r meets. */
void invert_baskets(int64_t n, int64_t n_ranks, const int64_t *indptr, const int32_t *items, const int32_t *rank,
                    const int64_t *occ_start, int64_t *cursor, int32_t *fill, int64_t *row_start, int32_t *rows, int32_t *occ,
                    int64_t *work);

/* The same for baskets counted against their partners. */
void partner_work(const basket_index *index, int64_t n_ranks, int64_t *work);

/* Count the pairs of the anchors [first, last) and write those that reach the floors; return how many. Counting distinct
   groups, partners or marks takes tallies, plain counting takes counters; the other one may be NULL. */
int64_t count_anchors(const basket_index *index, int64_t first, int64_t last, int32_t min_count, int32_t min_groups,
                      const workspace *space);

/* out[i] = P(X >= k[i]) for X hypergeometric: drawn[i] draws out of population[i], of which good[i] are good. The caller
   has checked 0 <= k <= min(good, drawn) and max(good, drawn) <= population. */
void hypergeometric_tail(int64_t n, const int64_t *k, const int64_t *good, const int64_t *drawn, const int64_t *population,
                         double *out);
