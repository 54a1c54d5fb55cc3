/* Coverage-guided fuzzing of the compiled core, under the address and undefined-behaviour sanitizers.

       make fuzz            half a minute; FUZZ_SECONDS=3600 make fuzz

   Any bytes become baskets and wishes, also broken ones; what the miner accepts is mined on every kind of processor code, which
   must agree node by node, and every support must be what the counter counts. The same bytes drive the other kernels. */

#include "counting.h"
#include "itemsets.h"
#include "kernels.h"
#include "lattice.h"
#include "trees.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BASKETS = 120, MOST_ITEMS = 40, MOST_FOUND = 5000 };

typedef struct {
    const uint8_t *at, *end;
} bytes;

static int32_t next(bytes *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

typedef struct {
    int32_t *parent, *item, *support;
    int64_t n;
} columns;

static columns mine(itemset_request request, int32_t isa, int32_t threads, int32_t *state)
{
    int32_t refusal;
    int64_t where;
    columns out = {0};
    request.isa = isa;
    request.threads = threads;
    itemset_miner *miner = itemsets_open(&request, &refusal, &where);
    *state = -refusal;
    if (!miner)
        return out;
    for (int32_t i = 0; i < threads; i++)
        itemsets_mine(miner, i);
    *state = itemsets_state(miner);
    if (!*state)
        out.n = itemsets_take(miner, &out.parent, &out.item, &out.support);
    itemsets_close(miner);
    return out;
}

static void drop(columns c)
{
    itemsets_free(c.parent), itemsets_free(c.item), itemsets_free(c.support);
}

static void check(int holds)
{
    if (!holds)
        abort();
}

static void same(columns a, columns b)
{
    check(a.n == b.n);
    if (a.n) {
        check(!memcmp(a.parent, b.parent, (size_t)a.n * 4));
        check(!memcmp(a.item, b.item, (size_t)a.n * 4));
        check(!memcmp(a.support, b.support, (size_t)a.n * 4));
    }
}

static void count_again(const itemset_request *q, columns found)
{
    int32_t *frequency = calloc((size_t)q->n_items + 1, 4), *last = malloc(((size_t)q->n_items + 1) * 4);
    int32_t *counted = calloc((size_t)found.n + 1, 4);
    int64_t where;
    memset(last, -1, ((size_t)q->n_items + 1) * 4);
    if (scan_baskets(q->n, q->n_items, q->nnz, q->indptr, q->items, NULL, last, frequency, NULL, &where)) {
        free(frequency), free(last), free(counted); /* the miner lets an item stand twice that is too rare to matter */
        return;
    }
    support_counter *counter = counting_open(q->n, q->n_items, q->indptr, q->items, frequency, NULL, found.n, found.parent,
                                             found.item, counted, NULL, 1);
    counting_run(counter, 0);
    counting_close(counter);
    for (int64_t i = 0; i < found.n; i++)
        check(!found.support[i] || counted[i] == found.support[i]);
    free(frequency), free(last), free(counted);
}

static void read_lists(columns found)
{
    int32_t *length = malloc(((size_t)found.n + 1) * 4), *nodes = malloc(((size_t)found.n + 1) * 4);
    int64_t *start = malloc(((size_t)found.n + 1) * 8);
    tree_lengths(found.n, found.parent, length);
    start[0] = 0;
    for (int64_t i = 0; i < found.n; i++) {
        nodes[i] = (int32_t)i;
        start[i + 1] = start[i] + length[i];
    }
    int32_t *items = malloc(((size_t)start[found.n] + 1) * 4);
    tree_flatten(found.n, nodes, found.parent, found.item, start, items);
    for (int64_t i = 0; i < found.n; i++)
        for (int64_t k = start[i] + 1; k < start[i + 1]; k++)
            check(items[k - 1] < items[k]);
    free(length), free(nodes), free(start), free(items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes in = {data, data + size};
    int32_t wishes = next(&in), n_items = next(&in) % MOST_ITEMS + 1, broken = next(&in), density = next(&in);
    int64_t n = next(&in) % MOST_BASKETS, nnz = 0;
    int64_t *indptr = malloc((size_t)(n + 1) * 8);
    int32_t *items = malloc((size_t)(n * n_items + 1) * 4), *floors = malloc((size_t)n_items * 4);
    double *weights = malloc((size_t)n_items * 8);
    indptr[0] = 0;
    for (int64_t t = 0; t < n; t++) {
        int32_t value = next(&in), step = value % 7 + 1;
        for (int32_t item = value % n_items; item < n_items && nnz < indptr[t] + 70; item += step)
            if (((item * 37 + value * 11 + next(&in)) & 255) <= density)
                items[nnz++] = item;
        indptr[t + 1] = nnz;
    }
    if (broken > 250 && nnz)
        items[nnz / 2] = broken == 251 ? -1 : broken == 252 ? n_items : items[0];
    if (broken == 250 && n)
        indptr[n / 2] = nnz + 1;
    for (int32_t i = 0; i < n_items; i++) {
        floors[i] = next(&in) % 20 + 1;
        weights[i] = next(&in) % 9;
    }
    itemset_request request = {.n = n, .n_items = n_items, .nnz = nnz, .indptr = indptr, .items = items};
    request.min_count = next(&in) % 40 + 1;
    request.max_itemsets = MOST_FOUND;
    request.kind = wishes & 3;
    if (request.kind == 0) {
        request.floors = wishes & 4 ? floors : NULL;
        request.weights = wishes & 8 ? weights : NULL;
        request.budget = 20;
        request.max_length = wishes & 16 ? (wishes >> 5) + 1 : 0;
    }
    int32_t state, other;
    columns found = mine(request, 0, 1, &state);
    for (int32_t isa = 1; isa <= 3; isa++) {
        columns again = mine(request, isa, isa == 2 ? 2 : 1, &other);
        check(other == state || state > 0 || other > 0);
        if (!state && !other)
            same(found, again);
        drop(again);
    }
    if (!state) {
        count_again(&request, found);
        read_lists(found);
    }
    drop(found);
    free(indptr), free(items), free(floors), free(weights);
    return 0;
}
