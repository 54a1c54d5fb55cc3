#pragma once
#include <stdint.h>

/* A search for itemsets of high utility; opaque to the caller. */
typedef struct utility_search utility_search;

/* What is asked for. A top-k search (k > 0) only raises the threshold, and its answer is the threshold; otherwise every itemset
   of at least min_utility (1 or more) is written down. max_length 0 is no limit. */
typedef struct {
    int64_t min_utility;
    int64_t k;
    int64_t max_itemsets;
    int64_t max_bytes;
    int32_t max_length;
    int32_t n_workers;
} utility_question;

/* bound[i], zero on entry, becomes the most that any itemset with item i can reach among the items that are alive: the sum over
   the baskets with i of max(0, the positive utilities of the basket + i's own if that is negative). With `few` in 1 .. 16 an
   itemset has at most so many items, and only the largest utilities count; 0 is no limit. */
void utility_bounds(int64_t n, const int64_t *indptr, const int32_t *items, const int64_t *utilities, const uint8_t *alive,
                    int32_t few, int64_t *bound);

/* Baskets by rank, ascending within a basket; rank[item] is -1 for an item left out. cursor [n_ranks] comes in as the place of
   each rank's first occurrence; occ and value [nnz of the kept] are scratch. row_start [n + 1]. */
void utility_recode(int64_t n, int64_t n_ranks, const int64_t *indptr, const int32_t *items, const int64_t *utilities,
                    const int32_t *rank, int32_t *cursor, int32_t *occ, int64_t *value, int32_t *row_start, int32_t *rows,
                    int64_t *row_utility);

/* Open a search over recoded baskets, which it copies; code[r] is the caller's code of rank r. NULL if memory does not suffice
   for it. *stop may be set to nonzero at any time, and must outlive the search. */
utility_search *utility_open(int32_t n, int32_t n_ranks, const int32_t *row_start, const int32_t *rows, const int64_t *utility,
                             const int32_t *code, const utility_question *question, const int32_t *stop);

/* Do the share of one worker, to be called once for each worker, each from a thread of its own if liked. Returns 0 when no
   work is left, 1 when stopped, 2 above max_itemsets, 3 above max_bytes. */
int utility_work(utility_search *search, int32_t worker);

/* How many nodes were written down, and the columns themselves, in an order that depends on the baskets alone. */
int64_t utility_size(const utility_search *search);
void utility_gather(const utility_search *search, int32_t *parent, int32_t *item, int32_t *support, int64_t *utility);

/* After a top-k search: the utilities of each worker's best, at most k a worker, in no order; returns how many. */
int64_t utility_best(const utility_search *search, int64_t *best);

void utility_close(utility_search *search);
