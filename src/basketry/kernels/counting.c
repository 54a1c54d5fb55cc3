/* In how many baskets each node of a prefix tree stands.

   Below a node only its own baskets matter, and of those only the items of its subtree: these become columns of bits, and the
   subtree is walked with one AND and one count of bits a node. Where that matrix would be large (many items below a node of many
   baskets) the node's children are listed first, each with its own baskets, and the same is done one level down. */

#include "counting.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64, LARGE = 1 << 18, AT_ONCE = 8 };

typedef int32_t (*meet_function)(uint64_t *restrict, const uint64_t *restrict, const uint64_t *restrict, int64_t);

typedef struct {
    int32_t *column;  /* [n_items] number of an item's column under the present node, -1 for none */
    int32_t *counter; /* [n_items] zero between nodes */
    uint8_t *marked;  /* [n] zero between nodes */
} bench;

struct support_counter {
    int64_t n, n_items, n_nodes;
    const int32_t *groups;
    const int32_t *item;
    int32_t *node_baskets, *node_groups;
    int64_t *row_start;
    int32_t *rows;
    int64_t *occ_start;
    int32_t *occ;
    int64_t *child_start; /* [n_nodes + 2]: children of node v at child_start[v + 1] .. child_start[v + 2) */
    int32_t *child;
    int32_t threads;
    bench *benches;
    meet_function meet;
    atomic_int_fast64_t next, done;
    atomic_int state;
};

#define MEET                                                                                                                   \
    int64_t many = 0;                                                                                                          \
    for (int64_t w = 0; w < n; w++) {                                                                                          \
        uint64_t both = a[w] & b[w];                                                                                           \
        out[w] = both;                                                                                                         \
        many += __builtin_popcountll(both);                                                                                    \
    }                                                                                                                          \
    return (int32_t)many;

static int32_t meet_plain(uint64_t *restrict out, const uint64_t *restrict a, const uint64_t *restrict b, int64_t n)
{
    MEET
}

#if defined(__x86_64__)
#if defined(__clang__)
#define WIDE "popcnt,avx512f,avx512vpopcntdq,avx512vl"
#else
#define WIDE "popcnt,avx512f,avx512vpopcntdq,avx512vl,prefer-vector-width=512"
#endif

__attribute__((target("popcnt,avx2"))) static int32_t meet_avx2(uint64_t *restrict out, const uint64_t *restrict a,
                                                                const uint64_t *restrict b, int64_t n)
{
    MEET
}

__attribute__((target(WIDE))) static int32_t meet_avx512(
    uint64_t *restrict out, const uint64_t *restrict a, const uint64_t *restrict b, int64_t n)
{
    MEET
}
#endif

static meet_function best_meet(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vl"))
        return meet_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"))
        return meet_avx2;
#endif
    return meet_plain;
}

static int no_memory(support_counter *c)
{
    atomic_store(&c->state, 9);
    return 0;
}

/* Children of each node, by counting sort: the root's are those of node -1. */
static int list_children(support_counter *c, const int32_t *parent)
{
    c->child_start = calloc((size_t)c->n_nodes + 4, sizeof(int64_t));
    c->child = malloc(((size_t)c->n_nodes + 1) * sizeof(int32_t));
    if (!c->child_start || !c->child)
        return 0;
    for (int64_t v = 0; v < c->n_nodes; v++)
        c->child_start[parent[v] + 3]++;
    for (int64_t v = 1; v < c->n_nodes + 4; v++)
        c->child_start[v] += c->child_start[v - 1];
    for (int64_t v = 0; v < c->n_nodes; v++)
        c->child[c->child_start[parent[v] + 2]++] = (int32_t)v;
    return 1;
}

/* Baskets of the tree's items only, in both directions. */
static int list_baskets(support_counter *c, const int64_t *indptr, const int32_t *items, const int32_t *frequency)
{
    uint8_t *wanted = calloc((size_t)c->n_items + 1, 1);
    c->occ_start = malloc(((size_t)c->n_items + 1) * sizeof(int64_t));
    c->row_start = malloc(((size_t)c->n + 1) * sizeof(int64_t));
    int64_t *cursor = malloc(((size_t)c->n_items + 1) * sizeof(int64_t));
    int ok = wanted && c->occ_start && c->row_start && cursor;
    if (ok) {
        for (int64_t v = 0; v < c->n_nodes; v++)
            wanted[c->item[v]] = 1;
        int64_t at = 0;
        for (int64_t i = 0; i < c->n_items; i++) {
            c->occ_start[i] = cursor[i] = at;
            at += wanted[i] ? frequency[i] : 0;
        }
        c->occ_start[c->n_items] = at;
        c->occ = malloc(((size_t)at + 1) * sizeof(int32_t));
        c->rows = malloc(((size_t)at + 1) * sizeof(int32_t));
        ok = c->occ && c->rows;
    }
    if (ok) {
        int64_t kept = 0;
        for (int64_t t = 0; t < c->n; t++) {
            c->row_start[t] = kept;
            for (int64_t k = indptr[t]; k < indptr[t + 1]; k++)
                if (wanted[items[k]]) {
                    c->rows[kept++] = items[k];
                    c->occ[cursor[items[k]]++] = (int32_t)t;
                }
        }
        c->row_start[c->n] = kept;
    }
    free(wanted), free(cursor);
    return ok;
}

support_counter *counting_open(int64_t n, int64_t n_items, const int64_t *indptr, const int32_t *items, const int32_t *frequency,
                               const int32_t *groups, int64_t n_nodes, const int32_t *parent, const int32_t *item,
                               int32_t *node_baskets, int32_t *node_groups, int32_t threads)
{
    support_counter *c = calloc(1, sizeof(support_counter));
    if (!c)
        return NULL;
    c->n = n, c->n_items = n_items, c->n_nodes = n_nodes, c->threads = threads;
    c->groups = groups, c->item = item, c->node_baskets = node_baskets, c->node_groups = node_groups;
    c->meet = best_meet();
    c->benches = calloc((size_t)threads, sizeof(bench));
    int ok = c->benches && list_children(c, parent) && list_baskets(c, indptr, items, frequency);
    for (int32_t i = 0; ok && i < threads; i++) {
        bench *b = c->benches + i;
        b->column = malloc(((size_t)n_items + 1) * sizeof(int32_t));
        b->counter = calloc((size_t)n_items + 1, sizeof(int32_t));
        b->marked = calloc((size_t)n + 1, 1);
        ok = b->column && b->counter && b->marked;
        if (ok)
            memset(b->column, -1, ((size_t)n_items + 1) * sizeof(int32_t));
    }
    if (ok)
        return c;
    counting_close(c);
    return NULL;
}

void counting_close(support_counter *c)
{
    if (!c)
        return;
    for (int32_t i = 0; c->benches && i < c->threads; i++)
        free(c->benches[i].column), free(c->benches[i].counter), free(c->benches[i].marked);
    free(c->benches), free(c->row_start), free(c->rows), free(c->occ_start), free(c->occ);
    free(c->child_start), free(c->child), free(c);
}

static const int32_t *children(const support_counter *c, int64_t node, int64_t *many)
{
    *many = c->child_start[node + 2] - c->child_start[node + 1];
    return c->child + c->child_start[node + 1];
}

static void note(support_counter *c, int32_t node, const int32_t *baskets, int64_t n)
{
    c->node_baskets[node] = (int32_t)n;
    if (!c->node_groups)
        return;
    int32_t distinct = 0, last = -1;
    for (int64_t k = 0; k < n; k++) {
        distinct += c->groups[baskets[k]] != last;
        last = c->groups[baskets[k]];
    }
    c->node_groups[node] = distinct;
}

static int32_t groups_of_bits(const support_counter *c, const uint64_t *bits, int64_t words, const int32_t *baskets)
{
    int32_t distinct = 0, last = -1;
    for (int64_t w = 0; w < words; w++)
        for (uint64_t rest = bits[w]; rest; rest &= rest - 1) {
            int32_t group = c->groups[baskets[w * WORD + __builtin_ctzll(rest)]];
            distinct += group != last;
            last = group;
        }
    return distinct;
}

/* The distinct items below a node get column numbers; returns how many, -1 past `most`, -2 without memory. */
static int64_t name_columns(const support_counter *c, bench *b, int64_t node, int32_t *named, int64_t most)
{
    int64_t many, count = 0, room = 64, depth = 0;
    const int32_t *first = children(c, node, &many);
    const int32_t **stack = malloc((size_t)room * 2 * sizeof(*stack));
    if (!stack)
        return -2;
    stack[0] = first, stack[1] = first + many;
    while (depth >= 0 && count >= 0) {
        if (stack[2 * depth] == stack[2 * depth + 1]) {
            depth--;
            continue;
        }
        int32_t v = *stack[2 * depth]++;
        if (b->column[c->item[v]] < 0) {
            if (count == most) {
                for (int64_t k = 0; k < count; k++)
                    b->column[named[k]] = -1;
                count = -1;
                break;
            }
            named[count] = c->item[v];
            b->column[c->item[v]] = (int32_t)count++;
        }
        const int32_t *below = children(c, v, &many);
        if (many) {
            if (++depth == room) {
                room *= 2;
                const int32_t **longer = realloc(stack, (size_t)room * 2 * sizeof(*stack));
                if (!longer) {
                    count = -2;
                    break;
                }
                stack = longer;
            }
            stack[2 * depth] = below, stack[2 * depth + 1] = below + many;
        }
    }
    free(stack);
    return count;
}

/* All nodes below `node`, whose baskets are the bits `mine`; scratch has room for a column a level below. */
static void walk_bits(support_counter *c, const bench *b, int64_t node, const uint64_t *columns, int64_t words,
                      const uint64_t *mine, uint64_t *scratch, const int32_t *baskets)
{
    int64_t many;
    const int32_t *kids = children(c, node, &many);
    for (int64_t k = 0; k < many; k++) {
        int32_t v = kids[k], count = c->meet(scratch, mine, columns + b->column[c->item[v]] * words, words);
        c->node_baskets[v] = count;
        if (!count)
            continue;
        if (c->node_groups)
            c->node_groups[v] = groups_of_bits(c, scratch, words, baskets);
        walk_bits(c, b, v, columns, words, scratch, scratch + words, baskets);
    }
}

static int64_t height(const support_counter *c, int64_t node)
{
    int64_t many, most = 0;
    const int32_t *kids = children(c, node, &many);
    for (int64_t k = 0; k < many; k++) {
        int64_t below = 1 + height(c, kids[k]);
        most = below > most ? below : most;
    }
    return most;
}

static int over_bits(support_counter *c, bench *b, int64_t node, const int32_t *baskets, int64_t n, const int32_t *named,
                     int64_t n_columns)
{
    int64_t words = (n + WORD - 1) / WORD, levels = height(c, node);
    uint64_t *columns = calloc((size_t)((n_columns + levels + 1) * words), sizeof(uint64_t));
    if (columns) {
        for (int64_t k = 0; k < n; k++)
            for (int64_t x = c->row_start[baskets[k]]; x < c->row_start[baskets[k] + 1]; x++) {
                int32_t column = b->column[c->rows[x]];
                if (column >= 0)
                    columns[column * words + k / WORD] |= (uint64_t)1 << (k % WORD);
            }
        uint64_t *mine = columns + n_columns * words;
        for (int64_t k = 0; k < n; k++)
            mine[k / WORD] |= (uint64_t)1 << (k % WORD);
        walk_bits(c, b, node, columns, words, mine, mine + words, baskets);
        free(columns);
    }
    for (int64_t k = 0; k < n_columns; k++)
        b->column[named[k]] = -1;
    return columns ? 1 : no_memory(c);
}

static int is_shallow(const support_counter *c, const int32_t *kids, int64_t many)
{
    for (int64_t k = 0; k < many; k++)
        if (c->child_start[kids[k] + 2] != c->child_start[kids[k] + 1])
            return 0;
    return 1;
}

static int below(support_counter *c, bench *b, int64_t node, const int32_t *baskets, int64_t n);

/* Each child with its own list of baskets. */
static int over_lists(support_counter *c, bench *b, const int32_t *kids, int64_t many, const int32_t *baskets, int64_t n)
{
    for (int64_t k = 0; k < many; k++) {
        int32_t v = kids[k], item = c->item[v];
        int64_t size = c->occ_start[item + 1] - c->occ_start[item], kept = 0;
        int32_t *mine = malloc(((size_t)(size < n ? size : n) + 1) * sizeof(int32_t));
        if (!mine)
            return no_memory(c);
        for (int64_t x = 0; x < n; x++)
            b->marked[baskets[x]] = 1;
        for (int64_t x = c->occ_start[item]; x < c->occ_start[item + 1]; x++)
            if (b->marked[c->occ[x]])
                mine[kept++] = c->occ[x];
        for (int64_t x = 0; x < n; x++)
            b->marked[baskets[x]] = 0;
        note(c, v, mine, kept);
        int ok = !kept || below(c, b, v, mine, kept);
        free(mine);
        if (!ok)
            return 0;
    }
    return 1;
}

/* All nodes below `node`, which stands in the `n` baskets, ascending. */
static int below(support_counter *c, bench *b, int64_t node, const int32_t *baskets, int64_t n)
{
    int64_t many;
    const int32_t *kids = children(c, node, &many);
    if (!many || atomic_load_explicit(&c->state, memory_order_relaxed))
        return 1;
    if (!c->node_groups && is_shallow(c, kids, many)) {
        for (int64_t k = 0; k < n; k++)
            for (int64_t x = c->row_start[baskets[k]]; x < c->row_start[baskets[k] + 1]; x++)
                b->counter[c->rows[x]]++;
        for (int64_t k = 0; k < many; k++)
            c->node_baskets[kids[k]] = b->counter[c->item[kids[k]]];
        for (int64_t k = 0; k < n; k++)
            for (int64_t x = c->row_start[baskets[k]]; x < c->row_start[baskets[k] + 1]; x++)
                b->counter[c->rows[x]] = 0;
        return 1;
    }
    int64_t words = (n + WORD - 1) / WORD, most = n <= WORD ? c->n_items : LARGE / words + 1;
    most = most < c->n_items ? most : c->n_items;
    int32_t *named = malloc(((size_t)most + 1) * sizeof(int32_t));
    if (!named)
        return no_memory(c);
    int64_t n_columns = name_columns(c, b, node, named, most);
    int ok = n_columns == -2   ? no_memory(c)
             : n_columns == -1 ? over_lists(c, b, kids, many, baskets, n)
                               : over_bits(c, b, node, baskets, n, named, n_columns);
    free(named);
    return ok;
}

void counting_run(support_counter *c, int32_t thread)
{
    int64_t many;
    const int32_t *firsts = children(c, -1, &many);
    for (;;) {
        int64_t next = atomic_fetch_add(&c->next, AT_ONCE);
        if (next >= many)
            return;
        for (int64_t k = next; k < many && k < next + AT_ONCE; k++) {
            if (atomic_load(&c->state))
                return;
            int32_t v = firsts[k], item = c->item[v];
            int64_t size = c->occ_start[item + 1] - c->occ_start[item];
            note(c, v, c->occ + c->occ_start[item], size);
            if (!below(c, c->benches + thread, v, c->occ + c->occ_start[item], size))
                return;
        }
        atomic_fetch_add(&c->done, AT_ONCE);
    }
}

void counting_stop(support_counter *c)
{
    atomic_store(&c->state, 1);
}

int64_t counting_done(const support_counter *c, int32_t *state)
{
    *state = atomic_load(&((support_counter *)c)->state);
    return atomic_load(&((support_counter *)c)->done);
}
