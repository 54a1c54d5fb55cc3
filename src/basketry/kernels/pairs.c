/* Pair counting by occurrence delivery: one anchor at a time, its baskets are walked and every co-item delivers one count
   into a dense array that is emptied through the list of the items touched.

   Items are recoded by descending frequency and an anchor meets only the items more frequent than itself, so every pair is
   met once, the counters in use are few and hot, and the rarest items have the longest prefix but the fewest baskets. */

#include "kernels.h"

enum { SCAN_OK = 0, SCAN_INDPTR = 1, SCAN_ITEM = 2, SCAN_DUPLICATE = 3, SCAN_GROUPS = 4 };

enum { LOOKAHEAD = 8 };

int scan_baskets(int64_t n, int64_t n_items, int64_t nnz, const int64_t *indptr, const int32_t *items, const int32_t *groups,
                 int32_t *last_basket, int32_t *frequency, int32_t *group_frequency, int64_t *where)
{
    *where = 0;
    if (indptr[0] != 0 || indptr[n] != nnz)
        return SCAN_INDPTR;
    for (int64_t t = 0; t < n; t++) {
        *where = t;
        if (indptr[t + 1] < indptr[t] || indptr[t + 1] > nnz)
            return SCAN_INDPTR;
        if (groups && (groups[t] < 0 || (t > 0 && groups[t] < groups[t - 1])))
            return SCAN_GROUPS;
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int32_t item = items[k];
            if (item < 0 || item >= n_items)
                return SCAN_ITEM;
            int32_t before = last_basket[item];
            if (before == (int32_t)t)
                return SCAN_DUPLICATE;
            frequency[item]++;
            if (groups)
                group_frequency[item] += before < 0 || groups[before] != groups[t];
            last_basket[item] = (int32_t)t;
        }
    }
    return SCAN_OK;
}

void invert_baskets(int64_t n, int64_t n_ranks, const int64_t *indptr, const int32_t *items, const int32_t *rank,
                    const int64_t *occ_start, int64_t *cursor, int32_t *fill, int64_t *row_start, int32_t *rows, int32_t *occ,
                    int64_t *work)
{
    int64_t kept = 0;
    row_start[0] = 0;
    for (int64_t t = 0; t < n; t++) {
        for (int64_t k = indptr[t]; k < indptr[t + 1]; k++) {
            int32_t r = rank[items[k]];
            if (r >= 0) {
                occ[cursor[r]++] = (int32_t)t;
                kept++;
            }
        }
        row_start[t + 1] = kept;
    }
    for (int64_t r = 0; r < n_ranks; r++) {
        int64_t met = 0;
        for (int64_t k = occ_start[r]; k < occ_start[r + 1]; k++) {
            int32_t t = occ[k];
            met += fill[t];
            rows[row_start[t] + fill[t]++] = (int32_t)r;
        }
        work[r] = met;
    }
}

void partner_work(const basket_index *index, int64_t n_ranks, int64_t *work)
{
    for (int64_t r = 0; r < n_ranks; r++) {
        int64_t met = 0;
        for (int64_t k = index->occ_start[r]; k < index->occ_start[r + 1]; k++) {
            int32_t next = index->partner[index->occ[k]];
            if (next >= 0)
                met += index->row_start[next + 1] - index->row_start[next];
        }
        work[r] = met;
    }
}

/* The part of a basket that an anchor meets in occurrence k: everything before itself, or all of the partner basket. */
static inline const int32_t *met(const basket_index *index, int64_t k, int32_t anchor, const int32_t **end)
{
    int32_t t = index->occ[k];
    if (index->partner) {
        int32_t next = index->partner[t];
        if (next < 0)
            return *end = index->rows;
        *end = index->rows + index->row_start[next + 1];
        return index->rows + index->row_start[next];
    }
    const int32_t *row = index->rows + index->row_start[t];
    const int32_t *stop = row;
    while (*stop != anchor)
        stop++;
    *end = stop;
    return row;
}

static int64_t count_plain(const basket_index *index, int64_t first, int64_t last, int32_t min_count, const workspace *space)
{
    int32_t *restrict counters = space->counters;
    int32_t *restrict touched = space->touched;
    int64_t written = 0;
    for (int64_t r = first; r < last; r++) {
        int64_t n_touched = 0;
        int64_t stop = index->occ_start[r + 1];
        for (int64_t k = index->occ_start[r]; k < stop; k++) {
            if (k + LOOKAHEAD < stop)
                __builtin_prefetch(index->rows + index->row_start[index->occ[k + LOOKAHEAD]]);
            for (const int32_t *b = index->rows + index->row_start[index->occ[k]]; *b != (int32_t)r; b++) {
                int32_t before = counters[*b];
                touched[n_touched] = *b;
                n_touched += before == 0;
                counters[*b] = before + 1;
            }
        }
        int32_t anchor = index->code[r];
        for (int64_t i = 0; i < n_touched; i++) {
            int32_t b = touched[i];
            int32_t count = counters[b];
            int32_t other = index->code[b];
            counters[b] = 0;
            space->a[written] = anchor < other ? anchor : other;
            space->b[written] = anchor < other ? other : anchor;
            space->count[written] = count;
            written += count >= min_count;
        }
    }
    return written;
}

static int64_t count_tallies(const basket_index *index, int64_t first, int64_t last, int32_t min_count, int32_t min_groups,
                             const workspace *space)
{
    tally *tallies = space->tallies;
    int32_t *touched = space->touched;
    int64_t written = 0;
    for (int64_t r = first; r < last; r++) {
        int64_t n_touched = 0;
        for (int64_t k = index->occ_start[r]; k < index->occ_start[r + 1]; k++) {
            int32_t t = index->occ[k];
            int32_t group = index->groups ? index->groups[t] : t;
            int32_t mark = index->marks ? index->marks[t] : 0;
            const int32_t *end;
            for (const int32_t *b = met(index, k, (int32_t)r, &end); b < end; b++) {
                tally *at = tallies + *b;
                touched[n_touched] = *b;
                n_touched += at->count == 0;
                at->groups += at->count == 0 || at->last != group;
                at->last = group;
                at->count++;
                at->marked += mark;
            }
        }
        for (int64_t i = 0; i < n_touched; i++) {
            int32_t b = touched[i];
            tally sum = tallies[b];
            tallies[b] = (tally){0, 0, 0, 0};
            if (b == (int32_t)r || sum.count < min_count || sum.groups < min_groups)
                continue;
            int32_t from = index->code[r];
            int32_t to = index->code[b];
            int swap = !index->partner && from > to;
            space->a[written] = swap ? to : from;
            space->b[written] = swap ? from : to;
            space->count[written] = sum.count;
            if (space->groups)
                space->groups[written] = sum.groups;
            if (space->marked)
                space->marked[written] = sum.marked;
            written++;
        }
    }
    return written;
}

int64_t count_anchors(const basket_index *index, int64_t first, int64_t last, int32_t min_count, int32_t min_groups,
                      const workspace *space)
{
    if (index->groups || index->partner || index->marks)
        return count_tallies(index, first, last, min_count, min_groups, space);
    return count_plain(index, first, last, min_count, space);
}
