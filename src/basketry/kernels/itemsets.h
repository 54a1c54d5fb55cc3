#pragma once
#include <stdint.h>

/* What is asked of the miner. Arrays live as long as the miner. floors [n_items] (or NULL) are each item's own least count; an
   itemset's floor is the least of its items'. weights [n_items] (or NULL) are summed over an itemset and may not pass budget.
   relatives of item i stand in relatives[relative_start[i] .. relative_start[i+1]), ascending (or both NULL): no itemset
   holds two relatives. kind: 0 all, 1 closed, 2 maximal, 3 generators' candidates, 4 pairs:
   then the columns are the lesser code, the greater, and the count. max_length 0: no limit.
   isa: 0 the best of this processor, 1 plain C, 2 AVX2, 3 AVX-512. */
typedef struct {
    int64_t n;
    int64_t n_items;
    int64_t nnz;
    const int64_t *indptr;
    const int32_t *items;
    const int32_t *floors;
    const double *weights;
    double budget;
    const int64_t *relative_start;
    const int32_t *relatives;
    int32_t min_count;
    int32_t kind;
    int32_t max_length;
    int32_t isa;
    int32_t threads;
    int64_t max_itemsets;
} itemset_request;

typedef struct itemset_miner itemset_miner;

/* Check the baskets and make them ready. *refusal is 0, one of the SCAN_ codes (with *where the basket), or 9: no memory; then
   NULL is returned. */
itemset_miner *itemsets_open(const itemset_request *request, int32_t *refusal, int64_t *where);

/* Work until nothing is left or somebody says stop; each thread calls it once, with its own number from 0. */
void itemsets_mine(itemset_miner *miner, int32_t thread);

/* 0 done or under way, 1 stopped, 2 more than max_itemsets, 9 no memory. */
int32_t itemsets_state(const itemset_miner *miner);
void itemsets_stop(itemset_miner *miner);

/* How many first items are done, of how many; and itemsets found so far. */
void itemsets_progress(const itemset_miner *miner, int64_t *done, int64_t *total, int64_t *found);

/* Put the threads' results one after another; the columns then belong to the caller, who gives them to itemsets_free. */
int64_t itemsets_take(itemset_miner *miner, int32_t **parent, int32_t **item, int32_t **support);
void itemsets_free(int32_t *column);
void itemsets_close(itemset_miner *miner);
