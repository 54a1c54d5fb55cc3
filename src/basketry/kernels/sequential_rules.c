/* Sequential rules X => Y: every item of X stands before every item of Y (RuleGrowth: Fournier-Viger et al. 2011).

   They do so in a span where the last of the first places of X lies before the first of the last places of Y, so two numbers a
   span are all that a rule must remember. Rules grow by one item: the consequent first, by ascending items, then the
   antecedent, likewise, so each is met once. Both only ever lose spans. */

#include "sequential_rules.h"

#include <stddef.h>
#include <stdlib.h>

enum { DONE = 0, PAUSED = 1, ROOM_NODES = 2, ROOM_ENTRIES = 3, ROOM_PENDING = 4 };
enum { SEED = 0, AFTER = 1, BEFORE = 2 };

static const rule_tally EMPTY = {0, 0, INT32_MIN, 0, 0, -1};

static inline void meet(rule_tally *tallies, int32_t *touched, int64_t *n, int32_t x, int32_t owner)
{
    rule_tally *t = tallies + x;
    if (t->last != owner) {
        touched[*n] = x;
        *n += t->count == 0;
        t->count++;
        t->odd += owner & 1;
        t->both += (owner & 1) && t->last == owner - 1;
        t->last = owner;
    }
    t->entries++;
}

static inline void hand(rule_miner *m, rule_tally *t, int32_t span, int32_t from, int32_t until)
{
    if (t->cursor < 0)
        return;
    m->span[t->cursor] = span;
    m->from[t->cursor] = from;
    m->until[t->cursor++] = until;
}

static inline int32_t more(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t less(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* All that may extend a rule: counted, or its entries handed out. Returns the places read. */
static inline __attribute__((always_inline)) int64_t walk(const span_index *index, rule_miner *m, const pending_rule *p,
                                                          int64_t *n_before, int64_t *n_after, const int deliver)
{
    int grows_after = p->side != BEFORE && p->n_after < m->max_after;
    int grows_before = p->side != SEED && p->n_before < m->max_before;
    int64_t read = 0;
    for (int64_t i = p->first; i < p->last; i++) {
        int32_t span = m->span[i], from = m->from[i], until = m->until[i];
        int32_t owner = index->owner[span];
        int64_t end = index->start[span + 1];
        for (int64_t k = index->start[span]; k < end; k++) {
            int32_t x = index->item[k];
            if (grows_after && x > p->largest_after && index->last[k] > from) {
                if (deliver)
                    hand(m, m->after + x, span, from, less(until, index->last[k]));
                else
                    meet(m->after, m->touched_after, n_after, x, owner);
            }
            if (grows_before && x > p->largest_before && index->first[k] < until) {
                if (deliver)
                    hand(m, m->before + x, span, more(from, index->first[k]), until);
                else
                    meet(m->before, m->touched_before, n_before, x, owner);
            }
        }
        read += end - index->start[span];
    }
    return read;
}

static int by_code(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int holds(const rule_miner *m, int32_t node, int32_t item)
{
    for (; node >= 0; node = m->node_parent[node])
        if (m->node_item[node] == item)
            return 1;
    return 0;
}

static int64_t select_items(const rule_miner *m, int32_t node, const rule_tally *tallies, const int32_t *touched, int64_t n,
                            int32_t *chosen)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t x = touched[i];
        if (tallies[x].count - tallies[x].both >= m->min_count && !holds(m, node, x))
            chosen[k++] = x;
    }
    qsort(chosen, (size_t)k, sizeof *chosen, by_code);
    return k;
}

static void put(rule_miner *m, const pending_rule *p, const int32_t *chosen, int64_t n, int side)
{
    rule_tally *tallies = side == AFTER ? m->after : m->before;
    for (int64_t i = 0; i < n; i++) {
        int32_t x = chosen[i];
        rule_tally *t = tallies + x;
        int64_t node = m->nodes_used++;
        int before = side != AFTER;
        m->node_parent[node] = p->node;
        m->node_item[node] = x;
        m->node_support[node] = t->count;
        m->node_odd[node] = t->odd;
        m->node_both[node] = t->both;
        m->node_side[node] = (uint8_t)side;
        t->cursor = (int32_t)m->entries_used;
        m->pending[m->pending_used++] =
            (pending_rule){m->entries_used, 0, (int32_t)node, side, x, before ? x : p->largest_before,
                           before ? p->largest_after : x, p->n_before + before, p->n_after + !before};
        m->entries_used += t->entries;
    }
}

static int room(rule_miner *m, int64_t children, int64_t entries)
{
    const int64_t needs[] = {m->nodes_used + children, m->entries_used + entries, m->pending_used + children};
    const int64_t rooms[] = {m->nodes_room, m->entries_room, m->pending_room};
    for (int i = 0; i < 3; i++)
        if (needs[i] > rooms[i]) {
            m->need = needs[i];
            return ROOM_NODES + i;
        }
    return DONE;
}

static int64_t entries_of(const rule_tally *tallies, const int32_t *chosen, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += tallies[chosen[i]].entries;
    return sum;
}

static int extend(const span_index *index, rule_miner *m, int64_t *read)
{
    pending_rule p = m->pending[m->pending_used - 1];
    m->entries_used = p.last;
    int64_t n_before = 0, n_after = 0;
    *read += walk(index, m, &p, &n_before, &n_after, 0);
    int32_t *left = m->touched_before + n_before, *right = m->touched_after + n_after;
    int64_t before = select_items(m, p.node, m->before, m->touched_before, n_before, left);
    int64_t after = select_items(m, p.node, m->after, m->touched_after, n_after, right);
    int status = room(m, before + after, entries_of(m->before, left, before) + entries_of(m->after, right, after));
    if (status == DONE) {
        m->pending_used--;
        int64_t bottom = m->pending_used;
        put(m, &p, left, before, BEFORE);
        put(m, &p, right, after, AFTER);
        if (before + after > 0)
            walk(index, m, &p, &n_before, &n_after, 1);
        for (int64_t i = bottom; i < m->pending_used; i++) {
            pending_rule *child = m->pending + i;
            child->last = (child->side == BEFORE ? m->before : m->after)[child->item].cursor;
        }
    }
    for (int64_t i = 0; i < n_before; i++)
        m->before[m->touched_before[i]] = EMPTY;
    for (int64_t i = 0; i < n_after; i++)
        m->after[m->touched_after[i]] = EMPTY;
    return status;
}

int extend_rules(const span_index *index, rule_miner *m, int64_t budget)
{
    int64_t read = 0;
    while (m->pending_used > 0) {
        if (read > budget)
            return PAUSED;
        read += 16;
        int status = extend(index, m, &read);
        if (status != DONE)
            return status;
    }
    return DONE;
}

int plant_rules(const span_index *index, rule_miner *m)
{
    const pending_rule root = {0, 0, -1, SEED, -1, -1, -1, 0, 0};
    int64_t n = 0;
    for (int64_t t = 0; t < index->n_spans; t++)
        for (int64_t k = index->start[t]; k < index->start[t + 1]; k++)
            meet(m->before, m->touched_before, &n, index->item[k], index->owner[t]);
    int32_t *chosen = m->touched_before + n;
    int64_t seeds = select_items(m, -1, m->before, m->touched_before, n, chosen);
    int status = room(m, seeds, entries_of(m->before, chosen, seeds));
    if (status == DONE) {
        put(m, &root, chosen, seeds, SEED);
        for (int64_t t = 0; t < index->n_spans; t++)
            for (int64_t k = index->start[t]; k < index->start[t + 1]; k++)
                hand(m, m->before + index->item[k], (int32_t)t, index->first[k], INT32_MAX);
        for (int64_t i = 0; i < m->pending_used; i++)
            m->pending[i].last = m->before[m->pending[i].item].cursor;
    }
    for (int64_t i = 0; i < n; i++)
        m->before[m->touched_before[i]] = EMPTY;
    return status;
}
