/* Frequent itemsets by depth-first search, first over lists, then over bits.

   Items are recoded by frequency (rank 0 is the most frequent) and a basket's ranks stand in descending order, so that what
   follows an item in its basket is all that is more frequent than itself. An item's search (an anchor's) looks only there,
   hence meets each itemset once, and rare anchors have few baskets.

   Sparse level (`anchor` in itemsets_search.inc): the anchor's baskets are walked and every co-item delivers a count; the walk
   goes in steps of eight over rows padded by eight sentinels, which count into eight dummies: most walks are one step, and
   the branch at its end is foretold.
   Dense level (`dense`, `single`): the co-items that are frequent with the anchor become columns of bits over its baskets,
   word by word (a row of the matrix is 64 baskets by all columns), so that one item's bits meet all others' in vector registers.
   A child's baskets are squeezed together (pext); from 64 baskets down a column is one word.

   Perfect extensions (items in every basket of an itemset) are not searched: whatever is found without them holds with every
   subset of them, and is copied. */

#define _GNU_SOURCE
#include "itemsets.h"
#include "kernels.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { KIND_ALL = 0, KIND_CLOSED = 1, KIND_MAXIMAL = 2, KIND_GENERATORS = 3, KIND_PAIRS = 4 };
enum { GOING = 0, STOPPED = 1, TOO_MANY = 2, NO_MEMORY = 9 };
enum { PADS = 8, AHEAD = 8, WORD = 64, SLACK = 16, UNLIMITED = 1 << 30, MOST_PERFECT = 40, INSERTION_LIMIT = 32, CHUNK = 1 << 16, REVISIT = 96, DENSE_RANKS = 1024, DENSE_SHARE = 16, LARGE_ROOM = 1 << 20, LARGE_PAGE = 1 << 21 };

/* Itemsets as they are found. */
typedef struct {
    int32_t *parent, *item, *support;
    int64_t n, room;
} found;

/* A stack of scratch memory in chunks that never move. */
typedef struct chunk {
    struct chunk *below;
    int64_t room;
    int64_t used;
    uint64_t words[];
} chunk;

typedef struct {
    int64_t first, last; /* where in the thread's columns */
    int32_t thread;
} segment;

/* Baskets as lists, of the whole or under some prefix. Item r stands in the baskets at positions occ[start[r] .. end[r]) of
   rows; support[r] counts also baskets that were dropped because nothing else of interest stands in them. Items from n_anchors
   on are not extended: they only testify that an itemset is not closed or not maximal. */
typedef struct {
    const void *rows;
    const uint32_t *occ;
    const int64_t *start, *end;
    const int32_t *support;
    const int32_t *code;
    int32_t n_items, n_anchors;
} lists;

typedef struct {
    itemset_miner *miner;
    found out;
    chunk *top, *spare;
    uint32_t *counters;  /* [n_ranks + PADS], zero between anchors */
    uint64_t *bits;      /* [n_ranks + PADS], zero between anchors */
    int32_t *local;      /* [n_ranks + PADS], zero between anchors */
    int32_t id;
    int64_t told;
} worker;

struct itemset_miner {
    itemset_request ask;
    lists root;
    void *rows;
    uint32_t *occ;
    int64_t *start, *end;
    int32_t *frequency; /* by item, then reused */
    int32_t *support, *code, *floor;
    int32_t *rank;
    int32_t n_ranks;
    uint64_t *matrix; /* dense data: all baskets as columns of bits, `words` rows of `stride` words; else NULL */
    int32_t words, stride;
    int64_t twice;    /* 1 + a basket that holds an item twice, 0 for none */
    int wide; /* ranks take 32 bits */
    int isa;
    int constrained, perfect;
    worker *workers;
    segment *segments; /* [n_ranks] */
    atomic_int_fast64_t next, found, done;
    atomic_int state;
};

static int stopped(const itemset_miner *miner)
{
    return atomic_load_explicit(&miner->state, memory_order_relaxed) != GOING;
}

static void give_up(itemset_miner *miner, int why)
{
    int going = GOING;
    atomic_compare_exchange_strong(&miner->state, &going, why);
}

/* ---- room ---- */

/* A longer column. Large answers cost more in first touches of pages than in anything else, so a large column lies on large
   pages (one touch for 512 small ones), which must not be moved about: it is taken once, far too long, and what is never
   touched is never used. */
static int32_t *lengthened(int32_t *column, int64_t used, int64_t room)
{
    size_t bytes = (size_t)room * sizeof(int32_t);
    if (room <= LARGE_ROOM)
        return realloc(column, bytes);
    int32_t *longer = aligned_alloc(LARGE_PAGE, (bytes + LARGE_PAGE - 1) & ~(size_t)(LARGE_PAGE - 1));
    if (!longer)
        return NULL;
#if defined(MADV_HUGEPAGE)
    madvise(longer, bytes & ~(size_t)(LARGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    if (used)
        memcpy(longer, column, (size_t)used * sizeof(int32_t));
    free(column);
    return longer;
}

static int grow(worker *w, int64_t more)
{
    found *out = &w->out;
    int64_t room = out->room;
    while (room < out->n + more + SLACK)
        room = room < CHUNK ? CHUNK : room < LARGE_ROOM ? room * 2 : room * 16;
    int32_t **columns[] = {&out->parent, &out->item, &out->support};
    for (int c = 0; c < 3; c++) {
        int32_t *longer = lengthened(*columns[c], out->n, room);
        if (!longer) {
            give_up(w->miner, NO_MEMORY);
            return 0;
        }
        *columns[c] = longer;
    }
    out->room = room;
    return 1;
}

/* Make room for `more` itemsets, or say that there are too many. A small number may be more than are written then. */
static inline int reserve(worker *w, int64_t more)
{
    if (__builtin_expect(w->out.n + more + SLACK > w->out.room, 0)) {
        int64_t before = atomic_fetch_add(&w->miner->found, w->out.n - w->told) + w->out.n - w->told;
        w->told = w->out.n;
        if (before + (more < CHUNK ? 0 : more) > w->miner->ask.max_itemsets || before + more > INT32_MAX - CHUNK) {
            give_up(w->miner, TOO_MANY);
            return 0;
        }
        return grow(w, more);
    }
    return 1;
}

static uint64_t *take(worker *w, int64_t words)
{
    words = (words + 7) & ~(int64_t)7;
    if (!w->top || w->top->used + words > w->top->room) {
        chunk *next = w->spare;
        if (next && next->room >= words) {
            w->spare = next->below;
        } else {
            int64_t room = words > CHUNK ? words : CHUNK;
            next = aligned_alloc(64, (sizeof(chunk) + (size_t)room * 8 + 63) & ~(size_t)63);
            if (!next) {
                give_up(w->miner, NO_MEMORY);
                return NULL;
            }
            next->room = room;
        }
        next->below = w->top;
        next->used = 0;
        w->top = next;
    }
    uint64_t *mine = w->top->words + w->top->used;
    w->top->used += words;
    return mine;
}

typedef struct {
    chunk *top;
    int64_t used;
} mark;

static mark here(const worker *w)
{
    return (mark){w->top, w->top ? w->top->used : 0};
}

/* Give back all that was taken since; one chunk is kept at hand. */
static void release(worker *w, mark since)
{
    while (w->top != since.top) {
        chunk *gone = w->top;
        w->top = gone->below;
        if (!w->spare || w->spare->room < gone->room) {
            free(w->spare);
            w->spare = gone;
            gone->below = NULL;
        } else {
            free(gone);
        }
    }
    if (w->top)
        w->top->used = since.used;
}

/* ---- what an itemset may hold besides ---- */

static int related(const itemset_miner *miner, int32_t a, int32_t b)
{
    int64_t low = miner->ask.relative_start[a], high = miner->ask.relative_start[a + 1];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (miner->ask.relatives[middle] < b)
            low = middle + 1;
        else
            high = middle;
    }
    return low < miner->ask.relative_start[a + 1] && miner->ask.relatives[low] == b;
}

/* May `other` join an itemset whose latest item is `item` and that has `budget` left after it? */
static int allowed(const itemset_miner *miner, int32_t item, int32_t other, double budget)
{
    if (miner->ask.weights && miner->ask.weights[other] > budget)
        return 0;
    return !miner->ask.relative_start || !related(miner, item, other);
}

/* ---- perfect extensions ---- */

/* Every non-empty subset of the k `items` below `node`, with its support. Returns the first of the new nodes, or -1. */
static int64_t spread(worker *w, int32_t node, const int32_t *items, int32_t k, int32_t support)
{
    if (k > MOST_PERFECT) {
        give_up(w->miner, TOO_MANY);
        return -1;
    }
    int64_t many = ((int64_t)1 << k) - 1;
    if (!reserve(w, many))
        return -1;
    int64_t first = w->out.n;
    int64_t made = 0;
    for (int32_t p = 0; p < k; p++) {
        int64_t upto = made;
        w->out.parent[first + made] = node;
        w->out.item[first + made] = items[p];
        w->out.support[first + made] = support;
        made++;
        for (int64_t c = 0; c < upto; c++, made++) {
            w->out.parent[first + made] = (int32_t)(first + c);
            w->out.item[first + made] = items[p];
            w->out.support[first + made] = support;
        }
    }
    w->out.n += many;
    return first;
}

/* Copy the itemsets [from, to), found below `node`, below each of the `many` nodes from `first` on. */
static void repeat(worker *w, int32_t node, int64_t from, int64_t to, int64_t first, int64_t many)
{
    int64_t size = to - from;
    if (size == 0 || !reserve(w, size * many))
        return;
    found *out = &w->out;
    for (int64_t c = 0; c < many; c++) {
        int64_t at = out->n;
        int32_t shift = (int32_t)(at - from), other = (int32_t)(first + c);
        const int32_t *restrict source = out->parent + from;
        int32_t *restrict target = out->parent + at;
        for (int64_t x = 0; x < size; x++)
            target[x] = source[x] == node ? other : source[x] + shift;
        memcpy(out->item + at, out->item + from, (size_t)size * sizeof(int32_t));
        memcpy(out->support + at, out->support + from, (size_t)size * sizeof(int32_t));
        out->n += size;
    }
}

/* ---- the search, once for each kind of processor and width of ranks ---- */

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define NAME(x) JOIN(x, ISA, WIDTH)

#define ISA plain
#define ISA_LEVEL 1
#define WIDTH 16
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#define WIDTH 32
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#undef ISA
#undef ISA_LEVEL

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt")
#endif
#define ISA avx2
#define ISA_LEVEL 2
#define WIDTH 16
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#define WIDTH 32
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#undef ISA
#undef ISA_LEVEL
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(                                                                                                  \
    __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,prefer-vector-width=512")
#endif
#define ISA avx512
#define ISA_LEVEL 3
#define WIDTH 16
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#define WIDTH 32
#include "itemsets_search.inc"
#include "itemsets_closed.inc"
#undef WIDTH
#undef ISA
#undef ISA_LEVEL
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

static int best_isa(int asked)
{
    int best = 1;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
        best = 2;
    if (best == 2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vpopcntdq"))
        best = 3;
#endif
    return asked > 0 && asked < best ? asked : best;
}

#if defined(__x86_64__)
#define DISPATCH(miner, name, ...)                                                                                             \
    do {                                                                                                                       \
        if ((miner)->isa == 3)                                                                                                 \
            (miner)->wide ? name##_avx512_32(__VA_ARGS__) : name##_avx512_16(__VA_ARGS__);                                     \
        else if ((miner)->isa == 2)                                                                                            \
            (miner)->wide ? name##_avx2_32(__VA_ARGS__) : name##_avx2_16(__VA_ARGS__);                                         \
        else                                                                                                                   \
            (miner)->wide ? name##_plain_32(__VA_ARGS__) : name##_plain_16(__VA_ARGS__);                                       \
    } while (0)
#else
#define DISPATCH(miner, name, ...) ((miner)->wide ? name##_plain_32(__VA_ARGS__) : name##_plain_16(__VA_ARGS__))
#endif

/* ---- making ready ---- */

/* Count items and check the baskets' form; that no item stands twice in a basket is checked when rows are sorted. */
static int32_t count_items_of(itemset_miner *m, int64_t *where)
{
    const itemset_request *q = &m->ask;
    *where = 0;
    if (q->indptr[0] != 0 || q->indptr[q->n] != q->nnz)
        return 1;
    for (int64_t t = 0; t < q->n; t++)
        if (q->indptr[t + 1] < q->indptr[t] || q->indptr[t + 1] > q->nnz) {
            *where = t;
            return 1;
        }
    uint32_t most = 0;
    for (int64_t k = 0; k < q->nnz; k++)
        most = most > (uint32_t)q->items[k] ? most : (uint32_t)q->items[k];
    if (q->nnz && most >= (uint64_t)q->n_items) {
        int64_t t = 0;
        for (int64_t k = 0; k < q->nnz; k++) {
            while (k >= q->indptr[t + 1])
                t++;
            if ((uint32_t)q->items[k] >= (uint64_t)q->n_items)
                break;
        }
        *where = t;
        return 2;
    }
    for (int64_t k = 0; k < q->nnz; k++)
        m->frequency[q->items[k]]++;
    return 0;
}

typedef struct {
    int32_t floor, frequency, item;
} place;

static int by_floor_and_frequency(const void *left, const void *right)
{
    const place *a = left, *b = right;
    if (a->floor != b->floor)
        return a->floor > b->floor ? -1 : 1;
    if (a->frequency != b->frequency)
        return a->frequency > b->frequency ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

/* Room for the matrix of dense data. */
static int is_dense(itemset_miner *m, place *places)
{
    free(places);
    m->words = (int32_t)((m->ask.n + WORD - 1) / WORD);
    m->stride = (m->n_ranks + 15) & ~7;
    m->matrix = calloc((size_t)m->words * (size_t)m->stride + SLACK, sizeof(uint64_t));
    return m->matrix != NULL;
}

/* Give the items that can matter their ranks. */
static int rank_items(itemset_miner *m)
{
    const itemset_request *q = &m->ask;
    int32_t least = q->min_count;
    if (q->floors) {
        least = INT32_MAX;
        for (int64_t i = 0; i < q->n_items; i++)
            least = q->floors[i] < least ? q->floors[i] : least;
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < q->n_items; i++)
        kept += m->frequency[i] >= least && m->frequency[i] > 0;
    place *places = malloc((size_t)(kept + 1) * sizeof(place));
    if (!places)
        return 0;
    kept = 0;
    for (int64_t i = 0; i < q->n_items; i++) {
        int dull = q->kind == KIND_GENERATORS && m->frequency[i] == q->n; /* the empty itemset stands in as many baskets */
        if (m->frequency[i] >= least && m->frequency[i] > 0 && !dull)
            places[kept++] = (place){q->floors ? q->floors[i] : least, m->frequency[i], (int32_t)i};
    }
    qsort(places, (size_t)kept, sizeof(place), by_floor_and_frequency);
    m->n_ranks = (int32_t)kept;
    m->support = malloc((size_t)(kept + 1) * sizeof(int32_t));
    m->code = malloc((size_t)(kept + 1) * sizeof(int32_t));
    m->floor = malloc((size_t)(kept + 1) * sizeof(int32_t));
    m->rank = malloc((size_t)(q->n_items + 1) * sizeof(int32_t));
    m->start = malloc((size_t)(kept + 1) * sizeof(int64_t));
    m->end = malloc((size_t)(kept + 1) * sizeof(int64_t));
    int ok = m->support && m->code && m->floor && m->rank && m->start && m->end;
    if (ok) {
        memset(m->rank, -1, (size_t)(q->n_items + 1) * sizeof(int32_t));
        int64_t at = 0;
        for (int64_t r = 0; r < kept; r++) {
            m->support[r] = places[r].frequency;
            m->code[r] = places[r].item;
            m->floor[r] = places[r].floor;
            m->rank[places[r].item] = (int32_t)r;
            m->start[r] = m->end[r] = at;
            at += places[r].frequency;
        }
        m->start[kept] = at;
        m->wide = kept > UINT16_MAX - PADS;
        if (q->kind != KIND_PAIRS && kept <= DENSE_RANKS && at * DENSE_SHARE >= kept * q->n && q->n > WORD)
            return is_dense(m, places);
        m->occ = malloc((size_t)(at + AHEAD) * sizeof(uint32_t));
        m->rows = malloc((size_t)(at + (q->n + 1) * PADS + SLACK) * (m->wide ? 4 : 2));
        ok = m->occ && m->rows && at + (q->n + 1) * PADS < UINT32_MAX;
    }
    free(places);
    return ok;
}

static int make_workers(itemset_miner *m)
{
    m->workers = calloc((size_t)m->ask.threads, sizeof(worker));
    m->segments = calloc((size_t)m->n_ranks + 1, sizeof(segment));
    if (!m->workers || !m->segments)
        return 0;
    for (int32_t i = 0; i < m->ask.threads; i++) {
        worker *w = m->workers + i;
        w->miner = m;
        w->id = i;
        size_t many = (size_t)m->n_ranks + PADS + SLACK;
        w->counters = calloc(many, sizeof(uint32_t));
        w->bits = calloc(many, sizeof(uint64_t));
        w->local = malloc(many * sizeof(int32_t));
        if (!w->counters || !w->bits || !w->local)
            return 0;
        memset(w->local, 0, many * sizeof(int32_t));
    }
    return 1;
}

itemset_miner *itemsets_open(const itemset_request *request, int32_t *refusal, int64_t *where)
{
    itemset_miner *m = calloc(1, sizeof(itemset_miner));
    *refusal = NO_MEMORY;
    if (!m)
        return NULL;
    m->ask = *request;
    m->isa = best_isa(request->isa);
    m->constrained = request->weights || request->relative_start;
    m->perfect = !m->constrained && !request->max_length;
    if (!m->ask.max_length)
        m->ask.max_length = UNLIMITED;
    m->frequency = calloc((size_t)request->n_items + 1, sizeof(int32_t));
    if (m->frequency) {
        *refusal = count_items_of(m, where);
        if (!*refusal) {
            *refusal = rank_items(m) && make_workers(m) ? 0 : NO_MEMORY;
            if (!*refusal) {
                if (m->matrix)
                    DISPATCH(m, fill_matrix, m, m->matrix);
                else
                    DISPATCH(m, fill_rows, m);
                if (m->twice) {
                    *where = m->twice - 1;
                    *refusal = 3;
                }
            }
        }
    }
    if (*refusal) {
        itemsets_close(m);
        return NULL;
    }
    m->root = (lists){m->rows, m->occ, m->start, m->end, m->support, m->code, m->n_ranks, m->n_ranks};
    return m;
}

void itemsets_mine(itemset_miner *miner, int32_t thread)
{
    worker *w = miner->workers + thread;
    if (miner->ask.kind == KIND_CLOSED || miner->ask.kind == KIND_MAXIMAL)
        DISPATCH(miner, closed_work, w);
    else if (miner->ask.kind == KIND_PAIRS)
        DISPATCH(miner, pairs_work, w);
    else
        DISPATCH(miner, work, w);
    atomic_fetch_add(&miner->found, w->out.n - w->told);
    w->told = w->out.n;
    if (atomic_load(&miner->found) + (miner->ask.kind == KIND_ALL ? miner->n_ranks : 0) > miner->ask.max_itemsets)
        give_up(miner, TOO_MANY);
}

int32_t itemsets_state(const itemset_miner *miner)
{
    return atomic_load(&((itemset_miner *)miner)->state);
}

void itemsets_stop(itemset_miner *miner)
{
    give_up(miner, STOPPED);
}

void itemsets_progress(const itemset_miner *miner, int64_t *done, int64_t *total, int64_t *found_so_far)
{
    itemset_miner *m = (itemset_miner *)miner;
    *done = atomic_load_explicit(&m->done, memory_order_relaxed);
    *total = m->n_ranks;
    *found_so_far = atomic_load_explicit(&m->found, memory_order_relaxed);
}

/* One thread's columns are the answer as they are. Of several threads' columns the segments are put together by anchor, so that
   the answer does not depend on how many there were. The first n_ranks nodes of every thread stand for the anchors. */
int64_t itemsets_take(itemset_miner *m, int32_t **parent, int32_t **item, int32_t **support)
{
    found whole = m->workers[0].out;
    if (m->ask.threads > 1) {
        int64_t shared = m->ask.kind == KIND_ALL || m->ask.kind == KIND_GENERATORS ? m->n_ranks : 0;
        int64_t n = shared;
        const int pairs = m->ask.kind == KIND_PAIRS;
        for (int32_t r = 0; r < m->n_ranks; r++)
            n += m->segments[r].last - m->segments[r].first;
        found all = {lengthened(NULL, 0, n + 1), lengthened(NULL, 0, n + 1), lengthened(NULL, 0, n + 1), n, n};
        if (!all.parent || !all.item || !all.support) {
            free(all.parent), free(all.item), free(all.support);
            give_up(m, NO_MEMORY);
            return -1;
        }
        if (shared) {
            memcpy(all.parent, whole.parent, (size_t)shared * 4);
            memcpy(all.item, whole.item, (size_t)shared * 4);
            memcpy(all.support, whole.support, (size_t)shared * 4);
        }
        int64_t at = shared;
        for (int32_t r = 0; r < m->n_ranks; r++) {
            segment s = m->segments[r];
            const found *from = &m->workers[s.thread].out;
            int64_t size = s.last - s.first;
            if (!size)
                continue;
            int32_t shift = (int32_t)(at - s.first);
            for (int64_t x = 0; x < size; x++) {
                int32_t above = from->parent[s.first + x];
                all.parent[at + x] = above < shared || pairs ? above : above + shift;
            }
            memcpy(all.item + at, from->item + s.first, (size_t)size * 4);
            memcpy(all.support + at, from->support + s.first, (size_t)size * 4);
            at += size;
        }
        for (int32_t i = 0; i < m->ask.threads; i++) {
            found *out = &m->workers[i].out;
            free(out->parent), free(out->item), free(out->support);
            *out = (found){0};
        }
        whole = all;
    }
    m->workers[0].out = (found){0};
    *parent = whole.parent;
    *item = whole.item;
    *support = whole.support;
    return whole.n;
}

void itemsets_free(int32_t *column)
{
    free(column);
}

void itemsets_close(itemset_miner *m)
{
    if (!m)
        return;
    for (int32_t i = 0; m->workers && i < m->ask.threads; i++) {
        worker *w = m->workers + i;
        free(w->out.parent), free(w->out.item), free(w->out.support);
        free(w->counters), free(w->bits), free(w->local);
        release(w, (mark){NULL, 0});
        free(w->spare);
    }
    free(m->workers), free(m->segments), free(m->frequency), free(m->support), free(m->code), free(m->floor);
    free(m->rank), free(m->start), free(m->end), free(m->occ), free(m->rows), free(m->matrix), free(m);
}
