/* High-utility itemsets by EFIM (Zida, Fournier-Viger, Lin, Wu, Tseng: EFIM, a fast and memory efficient algorithm for
   high-utility itemset mining, 2017), with four changes. Occurrences of the items that may extend a prefix are delivered into
   lists, so a branch reads only the rows it needs. Rows that become equal are found by hashing, wherever they stand. Items
   are renumbered at every level, so the bounds of a level lie close together. And utilities may be negative.

   A level is the database projected on a prefix P: rows of the items that may still be added, each with the utility of P in it
   (prefix) and the number of baskets behind it (support). Item z of the level opens a branch if the itemsets of the branch
   may reach the threshold:

       reach(z)  sum over rows with z of max(0, prefix + u(z) + positive utilities after z)         EFIM's sub-tree utility

   Item i remains on the level of P + z if itemsets with it may:

       local(i)  sum over rows of max(0, prefix + positive utilities of the row + min(0, u(i)))     EFIM's local utility

   A row stands for baskets that hold all of its items, so for an itemset Y in it, u(Y) is at most prefix plus the positive
   utilities; a row whose best is negative would only pull a sum down, and a longer itemset may leave it behind: hence max(0, .),
   basket by basket or, where equal rows were merged, for all of them at once. With no negative utility these are EFIM's own. */

#include "kernels.h"
#include "utility.h"

#include <stdlib.h>
#include <string.h>

enum { DONE = 0, STOPPED = 1, TOO_MANY = 2, TOO_LARGE = 3 };

static const size_t FIRST_BLOCK = 1 << 20;

static inline int64_t positive(int64_t x) { return x > 0 ? x : 0; }

static inline int64_t negative(int64_t x) { return x < 0 ? x : 0; }

/* ---- the most that a few items of a row can add ----------------------------------------------------------------------- */

enum { MOST_SLOTS = 16 };

/* The n largest positive utilities offered so far, descending, and their sum. */
typedef struct {
    int64_t value[MOST_SLOTS];
    int64_t sum;
    int32_t n;
} tops;

static inline void offer(tops *best, int64_t u)
{
    int32_t at = best->n - 1;
    if (at < 0 || u <= best->value[at])
        return;
    best->sum += u - best->value[at];
    for (; at > 0 && best->value[at - 1] < u; at--)
        best->value[at] = best->value[at - 1];
    best->value[at] = u;
}

/* The sums of the `few` and of the `few` - 1 largest positive utilities among n. */
static void top_sums(const int64_t *utility, int32_t n, int32_t few, int64_t *sum, int64_t *one_less)
{
    tops best = {{0}, 0, few};
    for (int32_t k = 0; k < n; k++)
        offer(&best, utility[k]);
    *sum = best.sum;
    *one_less = best.sum - best.value[few - 1];
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- memory that is taken and given back like a stack, in blocks that never move ------------------------------------- */

typedef struct block {
    struct block *next;
    size_t size;
    size_t used;
} block;

typedef struct {
    block *first;
    block *now;
    int64_t *left; /* bytes that may still be taken, shared by all */
} arena;

typedef struct {
    block *now;
    size_t used;
} mark;

static void *take_bytes(int64_t *left, size_t size)
{
    if (__atomic_sub_fetch(left, (int64_t)size, __ATOMIC_RELAXED) >= 0) {
        void *taken = malloc(size);
        if (taken)
            return taken;
    }
    __atomic_add_fetch(left, (int64_t)size, __ATOMIC_RELAXED);
    return NULL;
}

static block *new_block(arena *a, size_t size)
{
    block *made = take_bytes(a->left, sizeof(block) + size);
    if (made)
        *made = (block){NULL, size, 0};
    return made;
}

static void drop_blocks(arena *a, block *from)
{
    while (from) {
        block *next = from->next;
        __atomic_add_fetch(a->left, (int64_t)(sizeof(block) + from->size), __ATOMIC_RELAXED);
        free(from);
        from = next;
    }
}

static mark marked(const arena *a) { return (mark){a->now, a->now ? a->now->used : 0}; }

static void release(arena *a, mark m)
{
    a->now = m.now ? m.now : a->first;
    if (a->now)
        a->now->used = m.used;
}

/* NULL when memory is at its end. Blocks after the present one are empty, kept for the next time. */
static void *take(arena *a, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!a->now || a->now->size - a->now->used < size) {
        block **place = a->now ? &a->now->next : &a->first;
        if (!*place || (*place)->size < size) {
            size_t wanted = a->now ? 2 * a->now->size : FIRST_BLOCK;
            drop_blocks(a, *place);
            *place = new_block(a, wanted > size ? wanted : size);
            if (!*place && wanted > size)
                *place = new_block(a, size);
            if (!*place)
                return NULL;
        }
        a->now = *place;
        a->now->used = 0;
    }
    void *taken = (char *)(a->now + 1) + a->now->used;
    a->now->used += size;
    return taken;
}

/* ---- the search ------------------------------------------------------------------------------------------------------ */

/* Where a row goes on after an item: the item itself stands at from - 1. */
typedef struct {
    int32_t row;
    int32_t from;
} occurrence;

/* The database projected on a prefix of `depth` items, the last of which is `item`; node is where the prefix was written down,
   or -1 if it was not yet. Occurrences are listed of the items whose reach is enough. */
typedef struct level {
    struct level *above;
    struct level *below;
    mark before;
    int32_t n_items;
    int32_t n_rows;
    int32_t *code;
    int32_t *start;
    int32_t *items;
    int64_t *utility;
    int64_t *prefix;
    int32_t *support;
    int64_t *reach;
    int32_t *occ_start;
    occurrence *occ;
    int32_t next;
    int32_t depth;
    int32_t node;
    int32_t item;
} level;

typedef struct {
    int32_t *parent;
    int32_t *item;
    int32_t *support;
    int64_t *utility;
    int32_t n;
    int32_t room;
} columns;

typedef struct {
    int64_t local;
    int64_t reach;
} bounds;

typedef struct {
    arena memory;
    columns found;
    int64_t *heap;
    int64_t heaped;
    bounds *sums;   /* [n_items], zero between visits */
    uint8_t *seen;  /* [n_items + 8], zero between visits */
    int32_t *map;   /* [n_items]: number on the level below, -1 for none */
    int32_t *kept;  /* [n_items]: the other way round */
} worker;

typedef struct {
    int32_t worker;
    int32_t first;
    int32_t last;
} stretch;

struct utility_search {
    utility_question asked;
    const int32_t *stop;
    int64_t floor;   /* the threshold, raised by a top-k search */
    int64_t members; /* written down by all workers */
    int64_t left;
    int32_t next_branch;
    int halted;
    arena memory;
    level *root;
    int32_t *order;     /* branches, the most promising first */
    stretch *stretches; /* where each branch was written down */
    worker *workers;
};

static int64_t threshold(const utility_search *s) { return __atomic_load_n(&s->floor, __ATOMIC_RELAXED); }

static int halted(const utility_search *s)
{
    return __atomic_load_n(s->stop, __ATOMIC_RELAXED) ? STOPPED : __atomic_load_n(&s->halted, __ATOMIC_RELAXED);
}

static int halt(utility_search *s, int why)
{
    __atomic_store_n(&s->halted, why, __ATOMIC_RELAXED);
    return why;
}

/* ---- what is found --------------------------------------------------------------------------------------------------- */

static int grow(void *column, size_t old_bytes, size_t bytes, int64_t *left)
{
    void **at = column;
    void *longer = take_bytes(left, bytes);
    if (!longer)
        return 0;
    if (old_bytes)
        memcpy(longer, *at, old_bytes);
    free(*at);
    *at = longer;
    __atomic_add_fetch(left, (int64_t)old_bytes, __ATOMIC_RELAXED);
    return 1;
}

static int32_t append(columns *c, int64_t *left, int32_t parent, int32_t item, int32_t support, int64_t utility)
{
    if (c->n == c->room) {
        size_t old = (size_t)c->room, room = old ? 2 * old : 1024;
        if (room > INT32_MAX)
            return -1;
        if (!grow(&c->parent, old * 4, room * 4, left) || !grow(&c->item, old * 4, room * 4, left) ||
            !grow(&c->support, old * 4, room * 4, left) || !grow(&c->utility, old * 8, room * 8, left))
            return -1;
        c->room = (int32_t)room;
    }
    c->parent[c->n] = parent;
    c->item[c->n] = item;
    c->support[c->n] = support;
    c->utility[c->n] = utility;
    return c->n++;
}

/* The node of a level's own prefix, its path written down first where it was not yet; -2 when memory is at its end. */
static int32_t node_of(worker *w, int64_t *left, level *at)
{
    level *from = at;
    at->below = NULL; /* the chain down from the last one written ends here */
    while (from->depth && from->node < 0) {
        from->above->below = from;
        from = from->above;
    }
    int32_t node = from->depth ? from->node : -1;
    for (level *each = from->below; each; each = each->below) {
        node = each->node = append(&w->found, left, node, each->item, 0, 0);
        if (node < 0)
            return -2;
    }
    return node;
}

/* A new utility among the k best of this worker: a heap whose top is the least. */
static void keep_best(utility_search *s, worker *w, int64_t utility)
{
    int64_t *heap = w->heap;
    int64_t at;
    if (w->heaped < s->asked.k) {
        for (at = w->heaped++; at > 0 && heap[(at - 1) / 2] > utility; at = (at - 1) / 2)
            heap[at] = heap[(at - 1) / 2];
    } else if (utility <= heap[0]) {
        return;
    } else {
        for (at = 0;;) {
            int64_t child = 2 * at + 1;
            if (child >= w->heaped)
                break;
            child += child + 1 < w->heaped && heap[child + 1] < heap[child];
            if (heap[child] >= utility)
                break;
            heap[at] = heap[child];
            at = child;
        }
    }
    heap[at] = utility;
    if (w->heaped == s->asked.k) {
        int64_t now = threshold(s);
        while (now < heap[0] &&
               !__atomic_compare_exchange_n(&s->floor, &now, heap[0], 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            ;
    }
}

/* ---- projecting ------------------------------------------------------------------------------------------------------ */

/* reach of every item of a level to which `left` items may be added, and how many rows hold it. */
static void sum_reach(const level *at, int32_t left, int64_t *reach, int32_t *count)
{
    for (int32_t t = 0; t < at->n_rows; t++) {
        int32_t first = at->start[t], end = at->start[t + 1];
        if (left < end - first && left <= MOST_SLOTS) {
            tops after = {{0}, 0, left - 1};
            for (int32_t k = end - 1; k >= first; k--) {
                reach[at->items[k]] += positive(at->prefix[t] + at->utility[k] + after.sum);
                count[at->items[k]]++;
                offer(&after, at->utility[k]);
            }
            continue;
        }
        int64_t most = at->prefix[t];
        for (int32_t k = end - 1; k >= first; k--) {
            int64_t u = at->utility[k];
            reach[at->items[k]] += positive(most + u);
            count[at->items[k]]++;
            most += positive(u);
        }
    }
}

/* Lists of the occurrences of the items that reach the threshold. */
static int deliver(arena *memory, level *at, int32_t left, int64_t min_utility)
{
    size_t n = (size_t)at->n_items;
    at->reach = take(memory, n * sizeof(int64_t));
    at->occ_start = take(memory, (n + 1) * sizeof(int32_t));
    if (!at->reach || !at->occ_start)
        return 0;
    memset(at->reach, 0, n * sizeof(int64_t));
    memset(at->occ_start, 0, (n + 1) * sizeof(int32_t));
    sum_reach(at, left, at->reach, at->occ_start + 1);
    for (size_t i = 0; i < n; i++)
        at->occ_start[i + 1] = at->occ_start[i] + (at->reach[i] >= min_utility ? at->occ_start[i + 1] : 0);
    at->occ = take(memory, (size_t)at->occ_start[n] * sizeof(occurrence));
    if (!at->occ)
        return 0;
    for (int32_t t = 0; t < at->n_rows; t++)
        for (int32_t k = at->start[t]; k < at->start[t + 1]; k++)
            if (at->reach[at->items[k]] >= min_utility)
                at->occ[at->occ_start[at->items[k]]++] = (occurrence){t, k + 1};
    memmove(at->occ_start + 1, at->occ_start, n * sizeof(int32_t));
    at->occ_start[0] = 0;
    return 1;
}

static uint32_t hash_row(const int32_t *items, int32_t n)
{
    uint64_t h = (uint64_t)n;
    for (int32_t i = 0; i < n; i++)
        h = (h ^ (uint64_t)items[i]) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32);
}

/* Copy the rest of `n` rows behind `occ` into `to`, only items with map >= 0 and under their new numbers; equal rows become one,
   empty ones are left out. prefix[i] is the utility of the new prefix in row i. The columns of `to` have room. */
static int copy_rows(arena *memory, const level *from, const occurrence *occ, const int64_t *prefix, int32_t n,
                     const int32_t *map, level *to)
{
    mark before = marked(memory);
    size_t size = 4;
    while (size < 2 * (size_t)n)
        size *= 2;
    int32_t *table = take(memory, size * sizeof(int32_t));
    uint32_t *hashes = take(memory, (size_t)n * sizeof(uint32_t));
    if (!table || !hashes)
        return 0;
    memset(table, 0, size * sizeof(int32_t));
    int32_t rows = 0, used = 0;
    to->start[0] = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t length = 0;
        for (int32_t k = occ[i].from; k < from->start[occ[i].row + 1]; k++) {
            int32_t item = map[from->items[k]];
            to->items[used + length] = item;
            to->utility[used + length] = from->utility[k];
            length += item >= 0;
        }
        if (!length)
            continue;
        uint32_t hash = hash_row(to->items + used, length);
        size_t slot = hash & (size - 1);
        int32_t same = -1;
        for (; table[slot] && same < 0; slot = (slot + 1) & (size - 1)) {
            int32_t row = table[slot] - 1;
            if (hashes[row] == hash && to->start[row + 1] - to->start[row] == length &&
                !memcmp(to->items + to->start[row], to->items + used, (size_t)length * sizeof(int32_t)))
                same = row;
        }
        if (same >= 0) {
            for (int32_t k = 0; k < length; k++)
                to->utility[to->start[same] + k] += to->utility[used + k];
            to->prefix[same] += prefix[i];
            to->support[same] += from->support[occ[i].row];
        } else {
            table[slot] = rows + 1;
            hashes[rows] = hash;
            to->prefix[rows] = prefix[i];
            to->support[rows] = from->support[occ[i].row];
            used += length;
            to->start[++rows] = used;
        }
    }
    to->n_rows = rows;
    release(memory, before);
    return 1;
}

/* A level with room for `rows` rows of `entries` items in all, `n_items` different ones; NULL when memory is at its end. */
static level *new_level(arena *memory, mark before, int32_t n_items, int32_t rows, int64_t entries)
{
    level *made = take(memory, sizeof(level));
    if (!made)
        return NULL;
    *made = (level){.before = before, .n_items = n_items, .node = -1};
    made->code = take(memory, (size_t)n_items * sizeof(int32_t));
    made->start = take(memory, ((size_t)rows + 1) * sizeof(int32_t));
    made->prefix = take(memory, (size_t)rows * sizeof(int64_t));
    made->support = take(memory, (size_t)rows * sizeof(int32_t));
    made->items = take(memory, (size_t)(entries + 1) * sizeof(int32_t));
    made->utility = take(memory, (size_t)(entries + 1) * sizeof(int64_t));
    if (!made->code || !made->start || !made->prefix || !made->support || !made->items || !made->utility)
        return NULL;
    return made;
}

/* What a look at the occurrences of an item tells. */
typedef struct {
    int64_t utility;
    int64_t entries;
    int32_t support;
    int32_t kept;
    int open;
} view;

/* Add to the bounds of the n items of a row, when any number of them may follow a prefix of utility `own`. */
static void bound_any(worker *w, const int32_t *items, const int64_t *utility, int32_t n, int64_t own)
{
    bounds *restrict sums = w->sums;
    uint8_t *restrict seen = w->seen;
    int64_t whole = own, most = own;
    for (int32_t k = 0; k < n; k++)
        whole += positive(utility[k]);
    for (int32_t k = n - 1; k >= 0; k--) {
        int64_t u = utility[k];
        bounds *sum = sums + items[k];
        seen[items[k]] = 1;
        sum->local += positive(whole + negative(u));
        sum->reach += positive(most + u);
        most += positive(u);
    }
}

/* The same when at most `few` of them may (as FHM+ bounds them: Fournier-Viger, Lin, Duong, Dam, 2016). */
static void bound_few(worker *w, const int32_t *items, const int64_t *utility, int32_t n, int64_t own, int32_t few)
{
    int64_t whole, one_less;
    top_sums(utility, n, few, &whole, &one_less);
    tops after = {{0}, 0, few - 1};
    for (int32_t k = n - 1; k >= 0; k--) {
        int64_t u = utility[k];
        bounds *sum = w->sums + items[k];
        w->seen[items[k]] = 1;
        sum->local += positive(own + least(whole, one_less + u));
        sum->reach += positive(own + after.sum + u);
        offer(&after, u);
    }
}

/* Utility and support of the prefix with item z, prefix [occurrences] of the rows to come; the bounds of the items that follow,
   of which `left` may, are added up in w->sums. */
static view look(worker *w, const level *at, int32_t z, int64_t *prefix, int32_t left)
{
    view seen = {0, 0, 0, 0, 0};
    for (int32_t o = at->occ_start[z]; o < at->occ_start[z + 1]; o++) {
        int32_t row = at->occ[o].row, from = at->occ[o].from, n = at->start[row + 1] - from;
        int64_t own = at->prefix[row] + at->utility[from - 1];
        seen.utility += own;
        seen.support += at->support[row];
        seen.entries += n;
        prefix[o - at->occ_start[z]] = own;
        if (left >= n || left > MOST_SLOTS)
            bound_any(w, at->items + from, at->utility + from, n, own);
        else if (left)
            bound_few(w, at->items + from, at->utility + from, n, own, left);
    }
    return seen;
}

/* Read off which items after z remain, and empty the sums. */
static void choose(worker *w, const level *at, int32_t z, int64_t min_utility, view *seen)
{
    for (int32_t i = z + 1; i < at->n_items;) {
        uint64_t eight;
        memcpy(&eight, w->seen + i, 8);
        if (!eight) {
            i += 8;
            continue;
        }
        if (w->seen[i]) { /* no row holds the others, so what stands in their map does not matter */
            int remains = w->sums[i].local >= min_utility;
            w->kept[seen->kept] = i;
            w->map[i] = remains ? seen->kept++ : -1;
            seen->open |= remains && w->sums[i].reach >= min_utility;
            w->sums[i] = (bounds){0, 0};
            w->seen[i] = 0;
        }
        i++;
    }
}

/* Write down, or count among the best, what was found; -2 when memory is at its end, else its node, or -1. */
static int32_t report(utility_search *s, worker *w, level *at, int32_t z, const view *seen)
{
    if (seen->utility < threshold(s))
        return -1;
    if (s->asked.k) {
        keep_best(s, w, seen->utility);
        return -1;
    }
    int32_t above = node_of(w, &s->left, at);
    if (above == -2)
        return -2;
    int32_t node = append(&w->found, &s->left, above, at->code[z], seen->support, seen->utility);
    return node < 0 ? -2 : node;
}

/* The level below for item z, with all that is needed to search it; NULL with *status set, or NULL if there is nothing there. */
static level *descend(utility_search *s, worker *w, level *at, int32_t z, int *status)
{
    arena *memory = &w->memory;
    mark before = marked(memory);
    int32_t n = at->occ_start[z + 1] - at->occ_start[z];
    int64_t *prefix = take(memory, (size_t)n * sizeof(int64_t));
    *status = prefix ? DONE : TOO_LARGE;
    if (!prefix)
        return NULL;
    int32_t left = s->asked.max_length ? s->asked.max_length - at->depth - 1 : INT32_MAX;
    view seen = look(w, at, z, prefix, left);
    int32_t node = report(s, w, at, z, &seen);
    if (node == -2)
        *status = TOO_LARGE;
    if (node >= 0 && __atomic_add_fetch(&s->members, 1, __ATOMIC_RELAXED) > s->asked.max_itemsets)
        *status = TOO_MANY;
    if (left)
        choose(w, at, z, threshold(s), &seen);
    if (*status || !seen.open) {
        release(memory, before);
        return NULL;
    }
    *status = TOO_LARGE;
    level *below = new_level(memory, before, seen.kept, n, seen.entries);
    if (!below || !copy_rows(memory, at, at->occ + at->occ_start[z], prefix, n, w->map, below))
        return NULL;
    for (int32_t i = 0; i < seen.kept; i++)
        below->code[i] = at->code[w->kept[i]];
    if (!deliver(memory, below, left, threshold(s)))
        return NULL;
    below->above = at;
    below->depth = at->depth + 1;
    below->node = node;
    below->item = at->code[z];
    *status = DONE;
    return below;
}

/* Search everything below item z of the root, depth first; the stack is the chain of levels, however long it grows. */
static int search_branch(utility_search *s, worker *w, int32_t z)
{
    level root = *s->root; /* the prefix of nothing, with no node: each worker has its own to write into */
    int status;
    level *at = descend(s, w, &root, z, &status);
    while (at && !status) {
        if ((status = halted(s)))
            break;
        if (at->next == at->n_items) {
            mark before = at->before;
            at = at->depth == 1 ? NULL : at->above;
            release(&w->memory, before);
            continue;
        }
        int32_t item = at->next++;
        if (at->occ_start[item + 1] == at->occ_start[item] || at->reach[item] < threshold(s))
            continue;
        level *below = descend(s, w, at, item, &status);
        if (below)
            at = below;
    }
    return status;
}

int utility_work(utility_search *s, int32_t number)
{
    worker *w = s->workers + number;
    for (;;) {
        int status = halted(s);
        if (status)
            return status;
        int32_t turn = __atomic_fetch_add(&s->next_branch, 1, __ATOMIC_RELAXED);
        if (turn >= s->root->n_items)
            return DONE;
        int32_t z = s->order[turn];
        int32_t first = w->found.n;
        if (s->root->reach[z] >= threshold(s)) {
            status = search_branch(s, w, z);
            if (status)
                return status == STOPPED ? STOPPED : halt(s, status);
        }
        s->stretches[z] = (stretch){number, first, w->found.n};
    }
}

/* ---- opening and closing --------------------------------------------------------------------------------------------- */

void utility_bounds(int64_t n, const int64_t *indptr, const int32_t *items, const int64_t *utilities, const uint8_t *alive,
                    int32_t few, int64_t *bound)
{
    for (int64_t t = 0; t < n; t++) {
        int64_t whole = 0, one_less = INT64_MAX / 2;
        tops best = {{0}, 0, few};
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int64_t u = alive[items[k]] ? positive(utilities[k]) : 0;
            whole += u;
            offer(&best, u);
        }
        if (few) {
            whole = best.sum;
            one_less = best.sum - best.value[few - 1];
        }
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int64_t u = utilities[k];
            bound[items[k]] += alive[items[k]] ? positive(least(whole + negative(u), one_less + u)) : 0;
        }
    }
}

void utility_recode(int64_t n, int64_t n_ranks, const int64_t *indptr, const int32_t *items, const int64_t *utilities,
                    const int32_t *rank, int32_t *cursor, int32_t *occ, int64_t *value, int32_t *row_start, int32_t *rows,
                    int64_t *row_utility)
{
    int32_t kept = 0;
    for (int64_t t = 0; t < n; t++) {
        row_start[t] = kept;
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int32_t r = rank[items[k]];
            if (r < 0)
                continue;
            occ[cursor[r]] = (int32_t)t;
            value[cursor[r]++] = utilities[k];
            kept++;
        }
    }
    int32_t at = 0;
    for (int32_t r = 0; r < n_ranks; r++) /* a cursor now stands at the end of its rank */
        for (; at < cursor[r]; at++) {
            int32_t place = row_start[occ[at]]++;
            rows[place] = r;
            row_utility[place] = value[at];
        }
    memmove(row_start + 1, row_start, (size_t)n * sizeof(int32_t));
    row_start[0] = 0;
}

static int by_promise(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0]) - (x[0] > y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* The level of the empty prefix. */
static level *open_root(utility_search *s, level *given, int32_t n)
{
    arena *memory = &s->memory;
    int32_t n_items = given->n_items;
    mark start = marked(memory);
    level *root = new_level(memory, start, n_items, n, given->start[n]);
    if (!root)
        return NULL;
    memcpy(root->code, given->code, (size_t)n_items * sizeof(int32_t));
    mark before = marked(memory);
    int32_t *map = take(memory, (size_t)n_items * sizeof(int32_t));
    occurrence *whole = take(memory, (size_t)n * sizeof(occurrence));
    int64_t *prefix = take(memory, (size_t)n * sizeof(int64_t));
    given->support = take(memory, (size_t)n * sizeof(int32_t));
    if (!map || !whole || !prefix || !given->support)
        return NULL;
    for (int32_t i = 0; i < n_items; i++)
        map[i] = i;
    for (int32_t t = 0; t < n; t++) {
        whole[t] = (occurrence){t, given->start[t]};
        prefix[t] = 0;
        given->support[t] = 1;
    }
    if (!copy_rows(memory, given, whole, prefix, n, map, root))
        return NULL;
    release(memory, before);
    return deliver(memory, root, s->asked.max_length ? s->asked.max_length : INT32_MAX, s->floor) ? root : NULL;
}

static int open_branches(utility_search *s)
{
    int32_t n = s->root->n_items;
    s->order = take(&s->memory, (size_t)n * sizeof(int32_t));
    s->stretches = take(&s->memory, (size_t)n * sizeof(stretch));
    int64_t *promise = take(&s->memory, (size_t)n * 2 * sizeof(int64_t));
    if (!s->order || !s->stretches || !promise)
        return 0;
    memset(s->stretches, 0, (size_t)n * sizeof(stretch));
    for (int32_t i = 0; i < n; i++) {
        promise[2 * i] = s->root->reach[i];
        promise[2 * i + 1] = i;
    }
    qsort(promise, (size_t)n, 2 * sizeof(int64_t), by_promise);
    for (int32_t i = 0; i < n; i++)
        s->order[i] = (int32_t)promise[2 * i + 1];
    return 1;
}

static int open_worker(utility_search *s, worker *w)
{
    size_t n = (size_t)s->root->n_items;
    w->memory.left = &s->left;
    w->sums = take(&s->memory, n * sizeof(bounds));
    w->seen = take(&s->memory, n + 8);
    w->map = take(&s->memory, n * sizeof(int32_t));
    w->kept = take(&s->memory, n * sizeof(int32_t));
    w->heap = take(&s->memory, (size_t)s->asked.k * sizeof(int64_t));
    if (!w->sums || !w->seen || !w->map || !w->kept || !w->heap)
        return 0;
    memset(w->sums, 0, n * sizeof(bounds));
    memset(w->seen, 0, n + 8);
    return 1;
}

utility_search *utility_open(int32_t n, int32_t n_ranks, const int32_t *row_start, const int32_t *rows, const int64_t *utility,
                             const int32_t *code, const utility_question *question, const int32_t *stop)
{
    utility_search *s = calloc(1, sizeof(utility_search));
    if (!s)
        return NULL;
    s->asked = *question;
    s->stop = stop;
    s->floor = question->min_utility;
    s->left = question->max_bytes;
    s->memory.left = &s->left;
    s->workers = calloc((size_t)question->n_workers, sizeof(worker));
    level given = {.n_items = n_ranks, .n_rows = n, .code = (int32_t *)code, .start = (int32_t *)row_start,
                   .items = (int32_t *)rows, .utility = (int64_t *)utility};
    s->root = s->workers ? open_root(s, &given, n) : NULL;
    int ready = s->root && open_branches(s);
    for (int32_t i = 0; ready && i < question->n_workers; i++)
        ready = open_worker(s, s->workers + i);
    if (ready)
        return s;
    utility_close(s);
    return NULL;
}

int64_t utility_size(const utility_search *s)
{
    int64_t size = 0;
    for (int32_t z = 0; z < s->root->n_items; z++)
        size += s->stretches[z].last - s->stretches[z].first;
    return size;
}

void utility_gather(const utility_search *s, int32_t *parent, int32_t *item, int32_t *support, int64_t *utility)
{
    int64_t at = 0;
    for (int32_t z = 0; z < s->root->n_items; z++) {
        stretch from = s->stretches[z];
        const columns *c = &s->workers[from.worker].found;
        size_t n = (size_t)(from.last - from.first);
        if (!n)
            continue;
        for (int32_t i = from.first; i < from.last; i++)
            parent[at + i - from.first] = c->parent[i] < 0 ? -1 : (int32_t)(c->parent[i] - from.first + at);
        memcpy(item + at, c->item + from.first, n * sizeof(int32_t));
        memcpy(support + at, c->support + from.first, n * sizeof(int32_t));
        memcpy(utility + at, c->utility + from.first, n * sizeof(int64_t));
        at += (int64_t)n;
    }
}

int64_t utility_best(const utility_search *s, int64_t *best)
{
    int64_t n = 0;
    for (int32_t i = 0; i < s->asked.n_workers; i++) {
        memcpy(best + n, s->workers[i].heap, (size_t)s->workers[i].heaped * sizeof(int64_t));
        n += s->workers[i].heaped;
    }
    return n;
}

void utility_close(utility_search *s)
{
    if (!s)
        return;
    for (int32_t i = 0; s->workers && i < s->asked.n_workers; i++) {
        columns *c = &s->workers[i].found;
        free(c->parent);
        free(c->item);
        free(c->support);
        free(c->utility);
        drop_blocks(&s->workers[i].memory, s->workers[i].memory.first);
    }
    free(s->workers);
    drop_blocks(&s->memory, s->memory.first);
    free(s);
}
