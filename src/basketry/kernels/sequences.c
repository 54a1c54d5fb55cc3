/* Frequent sequential patterns by pattern growth (PrefixSpan: Pei et al. 2001), depth first, over all end positions.

   An end of a pattern is the row entry of its last item in one embedding. A pattern's ends are listed by sequence, ascending,
   the first of each sequence as its complement. To keep only the first end would be right for the next element alone and
   without limits: a joining item needs the later ends ("a, then a and b together"), and so does a largest gap. Of the
   embeddings that share an end only the one that begins latest matters to a window; the later the end, the later it begins, so
   the predecessor to ask is the latest one that stands far enough ahead, and two pointers walk a sequence once.

   In a plain database (one item an element, no limits) an end is one number a sequence: the entry after the first end.

   Before a pattern's ends are handed out, the rows behind them are copied without the items that no longer follow often
   enough, for no longer pattern can hold them (not so with a largest gap, where a pattern may reach what its prefix does not).

   Nothing is allocated here: what does not fit is reported, the caller makes room, and the pattern is extended anew. */

#include "sequences.h"

#include <stddef.h>
#include <stdlib.h>

enum { DONE = 0, PAUSED = 1, ROOM_NODES = 2, ROOM_ENDS = 3, ROOM_ROWS = 4, ROOM_PENDING = 5 };
enum { REFUSED_STARTS = 1, REFUSED_ELEMENTS = 2, REFUSED_ITEM = 3, REFUSED_ORDER = 4, REFUSED_CLOCK = 5 };
enum { EQUAL = 0, ANY = 1, NEAR = 2 };
enum { NOWHERE = -2 };

static const sequence_tally EMPTY = {0, 0, INT32_MIN, -1};

int scan_sequences(int64_t n, int64_t n_elements, int64_t n_items, int64_t nnz, const int64_t *starts, const int64_t *elements,
                   const int32_t *items, const int64_t *clock, int32_t *last_sequence, int32_t *frequency, int64_t *where)
{
    *where = 0;
    if (starts[0] != 0 || starts[n] != n_elements)
        return REFUSED_STARTS;
    if (elements[0] != 0 || elements[n_elements] != nnz)
        return REFUSED_ELEMENTS;
    for (int64_t s = 0; s < n; s++) {
        *where = s;
        if (starts[s + 1] < starts[s] || starts[s + 1] > n_elements)
            return REFUSED_STARTS;
        for (int64_t e = starts[s]; e < starts[s + 1]; e++) {
            if (elements[e + 1] < elements[e] || elements[e + 1] > nnz)
                return REFUSED_ELEMENTS;
            if (clock && e > starts[s] && clock[e] < clock[e - 1])
                return REFUSED_CLOCK;
            for (int64_t k = elements[e]; k < elements[e + 1]; k++) {
                int32_t item = items[k];
                if (item < 0 || item >= n_items)
                    return REFUSED_ITEM;
                if (k > elements[e] && items[k - 1] >= item)
                    return REFUSED_ORDER;
                frequency[item] += last_sequence[item] != (int32_t)s;
                last_sequence[item] = (int32_t)s;
            }
        }
    }
    return 0;
}

int64_t fill_sequences(int64_t n, const int64_t *starts, const int64_t *elements, const int32_t *items, const int64_t *clock,
                       const int32_t *rank, int32_t *item, int32_t *element, int32_t *previous, int32_t *before,
                       int32_t *sequence, int64_t *kept_clock, int64_t *rows, int64_t *widest)
{
    int64_t q = 0, kept = 0;
    *widest = 0;
    for (int64_t s = 0; s < n; s++) {
        int64_t begin = q;
        for (int64_t e = starts[s]; e < starts[s + 1]; e++) {
            int64_t from = q;
            for (int64_t k = elements[e]; k < elements[e + 1]; k++) {
                int32_t r = rank[items[k]];
                if (r < 0)
                    continue;
                item[q] = r;
                element[q] = (int32_t)kept;
                previous[q] = before[r] >= begin ? before[r] : -1;
                before[r] = (int32_t)q++;
            }
            if (q == from)
                continue;
            *widest = q - from > *widest ? q - from : *widest;
            sequence[kept] = (int32_t)s;
            kept_clock[kept++] = clock ? clock[e] : e - starts[s];
        }
        if (q > begin) {
            item[q] = element[q] = previous[q] = -1;
            q++;
        }
    }
    *rows = q;
    return kept;
}

/* The twins of items that follow stand behind those of items that join. */
static inline int32_t *later_twins(const sequence_miner *m)
{
    return m->twins ? m->twins + 2 * m->n_ranks : NULL;
}

static inline int64_t entry(const sequence_miner *m, int64_t end)
{
    int32_t e = m->ends[end];
    return e ^ (e >> 31);
}

/* One item met at entry q of a sequence, under an embedding that begins at element `start`: counted, or its end written. */
static inline __attribute__((always_inline)) void meet(sequence_miner *m, sequence_tally *tallies, int32_t *touched,
                                                       int64_t *n_touched, int64_t q, int32_t sequence, int32_t start,
                                                       const int deliver)
{
    int32_t x = m->item[q];
    sequence_tally *t = tallies + x;
    if (!deliver) {
        if (t->last != sequence) {
            touched[*n_touched] = x;
            *n_touched += t->count == 0;
            t->count++;
            if (m->twins) {
                int32_t *twin = (tallies == m->joining ? m->twins : later_twins(m)) + 2 * x;
                twin[0] += sequence & 1;
                twin[1] += (sequence & 1) && t->last == sequence - 1;
            }
            t->last = sequence;
        }
        t->ends++;
        return;
    }
    if (t->cursor < 0)
        return;
    int first = t->last != ~sequence;
    t->last = ~sequence;
    /* An end that nothing follows cannot grow; without limits a later end serves only the items that join it. */
    if (first ? m->item[q + 1] < 0 : !m->gapped && m->link[q + 1] != m->link[q])
        return;
    t->count += first;
    m->ends[t->cursor] = first ? ~(int32_t)q : (int32_t)q;
    if (m->starts)
        m->starts[t->cursor] = start;
    t->cursor++;
}

/* The elements within the limits of the ends [i, j) of one sequence; returns the entries read. */
static inline __attribute__((always_inline)) int64_t chase(sequence_miner *m, int64_t i, int64_t j, int32_t sequence,
                                                           int64_t *n_following, const int deliver)
{
    int64_t k = i;
    int64_t from = entry(m, i);
    int64_t q = from + 1;
    while (m->link[q] == m->link[from])
        q++;
    while (m->item[q] >= 0) {
        int32_t here = m->link[q];
        int64_t now = m->clock[here];
        while (k + 1 < j && m->link[entry(m, k + 1)] < here && now - m->clock[m->link[entry(m, k + 1)]] >= m->min_gap)
            k++;
        int64_t gap = now - m->clock[m->link[entry(m, k)]];
        int32_t start = m->starts ? m->starts[k] : 0;
        int late = gap > m->max_gap || (m->starts && now - m->clock[start] > m->window);
        if (late && k + 1 == j)
            break;
        if (late || gap < m->min_gap) {
            while (m->link[q] == here)
                q++;
            continue;
        }
        for (; m->link[q] == here; q++)
            meet(m, m->following, m->touched_following, n_following, q, sequence, start, deliver);
    }
    return q - from;
}

/* Everything that may extend a pattern: counted, or its ends written out. Returns the entries read. */
static inline __attribute__((always_inline)) int64_t walk(sequence_miner *m, const pending_pattern *p, int64_t *n_joining,
                                                          int64_t *n_following, const int deliver)
{
    int64_t read = 0;
    for (int64_t i = p->first, j; i < p->last; i = j) {
        for (j = i + 1; j < p->last && m->ends[j] >= 0; j++)
            ;
        int32_t sequence = m->sequence[m->link[entry(m, i)]];
        for (int64_t k = i; k < j; k++) {
            int64_t e = entry(m, k);
            int64_t q = e + 1;
            for (; m->link[q] == m->link[e]; q++)
                meet(m, m->joining, m->touched_joining, n_joining, q, sequence, m->starts ? m->starts[k] : 0, deliver);
            read += q - e;
        }
        if (p->elements >= m->max_elements)
            continue;
        if (m->gapped) {
            read += chase(m, i, j, sequence, n_following, deliver);
            continue;
        }
        int64_t e = entry(m, i);
        int64_t q = e + 1;
        while (m->link[q] == m->link[e])
            q++;
        for (; m->item[q] >= 0; q++)
            meet(m, m->following, m->touched_following, n_following, q, sequence, 0, deliver);
        read += q - e;
    }
    return read;
}

static int64_t count_all(sequence_miner *m, const pending_pattern *p, int64_t *n_joining, int64_t *n_following)
{
    return walk(m, p, n_joining, n_following, 0);
}

static void deliver_all(sequence_miner *m, const pending_pattern *p)
{
    int64_t none = 0;
    walk(m, p, &none, &none, 1);
}

/* Copy the rows from each sequence's first end on, without the items not followed; the ends come to point into the copy. */
static void narrow_all(sequence_miner *m, pending_pattern *p)
{
    int64_t to = m->rows_used;
    for (int64_t i = p->first; i < p->last;) {
        int64_t e = i;
        int64_t next = entry(m, i);
        int64_t q = next;
        for (; m->item[q] >= 0; q++) {
            int32_t x = m->item[q];
            if (q == next) {
                m->ends[e] = e == i ? ~(int32_t)to : (int32_t)to;
                e++;
                next = e < p->last && m->ends[e] >= 0 ? m->ends[e] : -1;
            } else if (m->following[x].cursor < 0 && m->joining[x].cursor < 0) {
                continue;
            }
            m->item[to] = x;
            m->link[to++] = m->link[q];
        }
        m->item[to] = m->link[to] = -1;
        to++;
        i = e;
    }
    m->rows_used = to;
}

static int64_t count_plain(sequence_miner *m, const pending_pattern *p, int64_t *n_following)
{
    const int32_t *item = m->item;
    const int32_t *previous = m->link;
    sequence_tally *following = m->following;
    int32_t *touched = m->touched_following;
    int64_t n = 0, read = 0;
    for (int64_t i = p->first; i < p->last; i++) {
        int32_t from = m->ends[i];
        int32_t q = from;
        int32_t x = item[q];
        while (x >= 0) {
            int32_t next = item[q + 1];
            if (previous[q] < from) {
                sequence_tally *t = following + x;
                touched[n] = x;
                n += t->count == 0;
                t->count++;
                t->ends += next >= 0;
            }
            x = next;
            q++;
        }
        read += q - from + 1;
    }
    *n_following = n;
    return read;
}

static void narrow_plain(sequence_miner *m, pending_pattern *p)
{
    int64_t to = m->rows_used;
    int64_t kept = p->first;
    for (int64_t i = p->first; i < p->last; i++) {
        int32_t from = m->ends[i];
        int64_t begin = to;
        for (int32_t q = from; m->item[q] >= 0; q++) {
            int32_t x = m->item[q];
            if (m->following[x].cursor < 0)
                continue;
            m->item[to] = x;
            m->link[to] = m->link[q] < from ? -1 : m->where[x];
            m->where[x] = (int32_t)to++;
        }
        if (to - begin < 2) { /* a last item has been counted, and nothing can follow it */
            to = begin;
            continue;
        }
        m->item[to] = m->link[to] = -1;
        to++;
        m->ends[kept++] = (int32_t)begin;
    }
    m->rows_used = to;
    p->last = kept;
}

static void deliver_plain(sequence_miner *m, const pending_pattern *p)
{
    const int32_t *item = m->item;
    const int32_t *previous = m->link;
    for (int64_t i = p->first; i < p->last; i++) {
        int32_t from = m->ends[i];
        int32_t x = item[from];
        for (int32_t q = from; x >= 0; q++) {
            int32_t next = item[q + 1];
            if (next >= 0 && previous[q] < from && m->following[x].cursor >= 0)
                m->ends[m->following[x].cursor++] = q + 1;
            x = next;
        }
    }
}

static int by_code(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void forget(sequence_tally *tallies, int32_t *twins, const int32_t *touched, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        tallies[touched[i]] = EMPTY;
        if (twins)
            twins[2 * touched[i]] = twins[2 * touched[i] + 1] = 0;
    }
}

/* Keep of `touched` the items that are to be followed; returns how many. */
static int64_t select_items(const sequence_miner *m, const sequence_tally *tallies, const int32_t *twins,
                            const int32_t *touched, int64_t n, int32_t *chosen)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t x = touched[i];
        chosen[k] = x;
        k += tallies[x].count - (twins ? twins[2 * x + 1] : 0) >= m->min_count;
    }
    qsort(chosen, (size_t)k, sizeof *chosen, by_code);
    return k;
}

/* Put the chosen extensions among the pending ones, each with room for its ends. */
static void put(sequence_miner *m, const pending_pattern *p, const int32_t *chosen, int64_t n, int joins)
{
    sequence_tally *tallies = joins ? m->joining : m->following;
    for (int64_t i = 0; i < n; i++) {
        sequence_tally *t = tallies + chosen[i];
        int64_t node = m->nodes_used++;
        m->node_parent[node] = p->node;
        m->node_item[node] = chosen[i];
        m->node_support[node] = t->count;
        m->node_joins[node] = (uint8_t)joins;
        if (m->twins) {
            const int32_t *twin = (joins ? m->twins : later_twins(m)) + 2 * chosen[i];
            m->node_odd[node] = twin[0];
            m->node_both[node] = twin[1];
        }
        t->cursor = (int32_t)m->ends_used;
        m->pending[m->pending_used++] = (pending_pattern){
            m->ends_used, 0, 0, 0, (int32_t)node, chosen[i], joins, p->length + 1, p->elements + !joins, 0};
        m->ends_used += t->ends;
        t->count = 0;
    }
}

/* The children that a given tree names, with their counts. */
static void put_guided(sequence_miner *m, const pending_pattern *p)
{
    for (int64_t i = m->guide_start[p->node + 1]; i < m->guide_start[p->node + 2]; i++) {
        int32_t node = m->guide[i];
        int joins = m->node_joins[node];
        int32_t x = m->node_item[node];
        sequence_tally *t = (joins ? m->joining : m->following) + x;
        m->node_support[node] = t->count;
        if (t->count == 0)
            continue;
        t->cursor = (int32_t)m->ends_used;
        m->pending[m->pending_used++] = (pending_pattern){
            m->ends_used, 0, 0, 0, node, x, joins, p->length + 1, p->elements + !joins, 0};
        m->ends_used += t->ends;
        t->count = 0;
    }
}

/* Of the pending patterns from `bottom` on, those worth extending stay, each with its ends. */
static void settle(sequence_miner *m, int64_t bottom, int64_t region, int32_t candidates)
{
    int64_t kept = bottom;
    for (int64_t i = bottom; i < m->pending_used; i++) {
        pending_pattern p = m->pending[i];
        const sequence_tally *t = (p.joins ? m->joining : m->following) + p.item;
        p.last = t->cursor;
        p.rows_used = m->rows_used;
        p.region = region;
        p.candidates = candidates;
        int64_t growing = m->plain ? p.last - p.first : t->count;
        int wanted = m->guide ? m->guide_start[p.node + 2] > m->guide_start[p.node + 1] : growing >= m->min_count;
        if (wanted && p.last > p.first && p.length < m->max_length)
            m->pending[kept++] = p;
    }
    m->pending_used = kept;
}

static int room(sequence_miner *m, int64_t nodes, int64_t ends, int64_t rows, int64_t pending)
{
    const int64_t needs[] = {m->guide ? 0 : m->nodes_used + nodes, m->ends_used + ends, m->rows_used + rows,
                             m->pending_used + pending};
    const int64_t rooms[] = {m->nodes_room, m->ends_room, m->rows_room, m->pending_room};
    for (int i = 0; i < 4; i++)
        if (needs[i] > rooms[i]) {
            m->need = needs[i];
            return ROOM_NODES + i;
        }
    return DONE;
}

static int64_t ends_of(const sequence_tally *tallies, const int32_t *chosen, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += tallies[chosen[i]].ends;
    return sum;
}

/* Extend the topmost pending pattern. */
static int extend(sequence_miner *m, int64_t *read)
{
    pending_pattern p = m->pending[m->pending_used - 1];
    m->ends_used = p.last;
    m->rows_used = p.rows_used;
    int64_t n_joining = 0, n_following = 0, joining, following;
    *read += m->plain ? count_plain(m, &p, &n_following) : count_all(m, &p, &n_joining, &n_following);
    int32_t *joint = m->touched_joining + n_joining;
    int32_t *later = m->touched_following + n_following;
    if (m->guide) {
        joint = m->touched_joining;
        later = m->touched_following;
        joining = n_joining;
        following = n_following;
    } else {
        joining = select_items(m, m->joining, m->twins, m->touched_joining, n_joining, joint);
        following = select_items(m, m->following, later_twins(m), m->touched_following, n_following, later);
    }
    int status = DONE;
    if (joining + following > 0) {
        int narrows = m->narrowing && joining + following < p.candidates;
        int64_t needed = ends_of(m->joining, joint, joining) + ends_of(m->following, later, following);
        status = room(m, joining + following, needed, narrows ? p.region : 0, joining + following);
        if (status == DONE) {
            m->pending_used--;
            int64_t bottom = m->pending_used, before = m->rows_used;
            if (m->guide) {
                put_guided(m, &p);
            } else {
                put(m, &p, joint, joining, 1);
                put(m, &p, later, following, 0);
            }
            if (p.length + 1 < m->max_length) {
                if (narrows)
                    (m->plain ? narrow_plain : narrow_all)(m, &p);
                (m->plain ? deliver_plain : deliver_all)(m, &p);
            }
            settle(m, bottom, narrows ? m->rows_used - before : p.region,
                   narrows ? (int32_t)(joining + following) : p.candidates);
        }
    } else {
        m->pending_used--;
    }
    forget(m->joining, m->twins, m->touched_joining, n_joining);
    forget(m->following, later_twins(m), m->touched_following, n_following);
    return status;
}

int extend_patterns(sequence_miner *m, int64_t budget)
{
    int64_t read = 0;
    while (m->pending_used > 0) {
        if (read > budget)
            return PAUSED;
        read += 16;
        int status = extend(m, &read);
        if (status != DONE)
            return status;
    }
    return DONE;
}

/* Every entry of the rows under the empty pattern. */
static inline __attribute__((always_inline)) void sow(sequence_miner *m, int64_t rows, int64_t *n, const int deliver)
{
    for (int64_t q = 0; q < rows; q++) {
        if (m->item[q] < 0)
            continue;
        if (!m->plain) {
            meet(m, m->following, m->touched_following, n, q, m->sequence[m->link[q]], m->link[q], deliver);
        } else if (m->link[q] < 0) {
            sequence_tally *t = m->following + m->item[q];
            if (!deliver) {
                m->touched_following[*n] = m->item[q];
                *n += t->count == 0;
                t->count++;
                t->ends += m->item[q + 1] >= 0;
            } else if (t->cursor >= 0 && m->item[q + 1] >= 0) {
                m->ends[t->cursor++] = (int32_t)q + 1;
            }
        }
    }
}

int plant_patterns(sequence_miner *m)
{
    const pending_pattern root = {0, 0, 0, 0, -1, -1, 0, 0, 0, 0};
    int64_t rows = m->rows_used, n = 0;
    sow(m, rows, &n, 0);
    int32_t *chosen = m->touched_following + n;
    int64_t k = n;
    if (m->guide)
        chosen = m->touched_following;
    else
        k = select_items(m, m->following, later_twins(m), m->touched_following, n, chosen);
    int status = room(m, k, ends_of(m->following, chosen, k), 0, k);
    if (status == DONE) {
        if (m->guide)
            put_guided(m, &root);
        else
            put(m, &root, chosen, k, 0);
        sow(m, rows, &n, 1);
        settle(m, 0, rows, (int32_t)m->n_ranks);
    }
    forget(m->following, later_twins(m), m->touched_following, n);
    return status;
}

void measure_sequences(int64_t m, const int32_t *parent, const uint8_t *joins, int32_t *length, int32_t *elements)
{
    for (int64_t i = 0; i < m; i++) {
        length[i] = 1 + (parent[i] < 0 ? 0 : length[parent[i]]);
        elements[i] = !joins[i] + (parent[i] < 0 ? 0 : elements[parent[i]]);
    }
}

static int32_t child(const int64_t *child_start, const int32_t *children, const int32_t *item, const uint8_t *joins,
                     int32_t node, int32_t wanted, int wanted_joins)
{
    int64_t low = child_start[node + 1], high = child_start[node + 2];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int32_t at = children[middle];
        int before = joins[at] != wanted_joins ? joins[at] : item[at] < wanted;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == child_start[node + 2])
        return NOWHERE;
    int32_t at = children[low];
    return item[at] == wanted && joins[at] == wanted_joins ? at : NOWHERE;
}

/* What is left of the pattern path[0 .. depth] when one of its items is taken away, for each of them, from the same of its
   prefix path[0 .. depth - 1]. */
static void lose_each(const int64_t *child_start, const int32_t *children, const int32_t *item, const uint8_t *joins,
                      int contiguous, const int32_t *path, int64_t depth, const int32_t *above, int32_t *below)
{
    int32_t node = path[depth];
    for (int64_t d = 0; d < depth; d++) {
        int head = d == depth - 1 && !joins[path[d]]; /* the item before the last, and the first of its element */
        int32_t base = above[d];
        if (contiguous && head && !joins[node] && d > 0)
            base = NOWHERE;
        below[d] = base == NOWHERE ? NOWHERE
                                   : child(child_start, children, item, joins, base, item[node], joins[node] && !head);
    }
    below[depth] = depth > 0 ? path[depth - 1] : -1;
}

static int64_t mark(uint8_t *marked, int32_t node)
{
    int64_t fresh = !marked[node];
    marked[node] = 1;
    return fresh;
}

int64_t mark_sequences(int64_t first, int64_t last, const int64_t *child_start, const int32_t *children, const int32_t *item,
                       const int32_t *support, const uint8_t *joins, int how, int32_t floor, int contiguous, int32_t *shorter,
                       int32_t *path, int64_t *turn, uint8_t *marked)
{
    int64_t fresh = 0;
    for (int64_t root = first; root < last; root++) {
        int64_t depth = 0;
        turn[0] = root;
        while (depth >= 0) {
            int64_t end = depth == 0 ? root + 1 : child_start[path[depth - 1] + 2];
            if (turn[depth] == end) {
                depth--;
                continue;
            }
            int32_t node = path[depth] = children[turn[depth]++];
            int32_t *below = shorter + depth * (depth + 1) / 2;
            lose_each(child_start, children, item, joins, contiguous, path, depth, below - depth, below);
            for (int64_t d = 0; d <= depth; d++) {
                int32_t other = below[d];
                if (other < 0)
                    continue;
                int32_t apart = support[other] - support[node];
                if (how == NEAR && (marked[other] || (apart > 0 && apart < floor)))
                    fresh += mark(marked, node);
                else if (how == ANY || (how == EQUAL && apart == 0))
                    fresh += mark(marked, other);
            }
            depth++;
            turn[depth] = child_start[node + 1];
        }
    }
    return fresh;
}

void keep_ways(int64_t m, const int32_t *parent, uint8_t *kept)
{
    for (int64_t i = m - 1; i >= 0; i--)
        if (kept[i] && parent[i] >= 0)
            kept[parent[i]] = 1;
}
