/* Rules out of a tree of itemsets: every way to part an itemset in two, with the nodes of the parts.

   The tree is walked depth first beside a table of the nodes of all subsets of the present path. One item deeper doubles the table,
   so a rule costs half a look-up; one item back costs nothing, the lower half is still there. Where limits on the sizes leave few
   splits, the table is not kept and the smaller side is looked up instead. Confidence is a bound on support(X), a whole number,
   worked out once an itemset: no rounding, no division a rule. */

#include "rules.h"

enum { DONE = 0, FULL = 1, LACKING = 2 };

/* The most support an antecedent may have. */
static int64_t most_support(const splitter *work, int64_t support)
{
    return work->numerator ? support * work->denominator / work->numerator : INT32_MAX;
}

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* All splits of the path, whose subsets are all members. There is room for one rule more than may be kept. */
static int split_by_table(splitter *work, int32_t whole, int32_t depth, int64_t most)
{
    int64_t full = ((int64_t)1 << depth) - 1;
    for (int64_t mask = 1; mask < full;) {
        int64_t room = work->capacity + 1 - work->found;
        if (room <= 0)
            return FULL;
        int64_t stop = full - mask < room ? full : mask + room;
        int64_t found = work->found;
        for (; mask < stop; mask++) {
            work->antecedent[found] = work->ids[mask];
            work->consequent[found] = work->ids[full ^ mask];
            work->whole[found] = whole;
            found += work->supports[mask] <= most;
        }
        work->found = found;
    }
    return work->found > work->capacity ? FULL : DONE;
}

/* The same with sizes limited, or where some subset may be no member. */
static int split_with_care(splitter *work, int32_t whole, int32_t depth, int64_t most)
{
    int32_t least = larger(1, depth - work->max_consequent);
    int32_t largest = smaller(depth - 1, work->max_antecedent);
    int64_t full = ((int64_t)1 << depth) - 1;
    for (int64_t mask = 1; mask < full; mask++) {
        int32_t size = __builtin_popcountll((unsigned long long)mask);
        if (size < least || size > largest)
            continue;
        if (work->ids[mask] < 0)
            return LACKING;
        if (work->supports[mask] > most)
            continue;
        if (work->ids[full ^ mask] < 0)
            return LACKING;
        if (work->found >= work->capacity)
            return FULL;
        work->antecedent[work->found] = work->ids[mask];
        work->consequent[work->found] = work->ids[full ^ mask];
        work->whole[work->found++] = whole;
    }
    return DONE;
}

/* A member's node by its hash, -1 for none. */
static int32_t member(const lattice *in, uint64_t hash)
{
    int32_t id = find_hash(in, hash);
    return id < 0 || in->support[id] == 0 ? -1 : id;
}

/* One side is the items of mask, the other the rest of the path. */
static int split_off(splitter *work, int32_t whole, int64_t mask, int is_antecedent, int64_t most)
{
    const lattice *in = work->in;
    uint64_t part = 0;
    for (int64_t rest = mask; rest; rest &= rest - 1)
        part += work->keys[__builtin_ctzll((unsigned long long)rest)];
    uint64_t other = in->hash[whole] - part;
    int alone = (mask & (mask - 1)) == 0;
    int32_t single = alone ? work->singles[__builtin_ctzll((unsigned long long)mask)] : -1;
    int32_t x = !is_antecedent ? member(in, other) : alone ? single : member(in, part);
    if (x < 0)
        return LACKING;
    if (in->support[x] > most)
        return DONE;
    int32_t y = is_antecedent ? member(in, other) : alone ? single : member(in, part);
    if (y < 0)
        return LACKING;
    if (work->found >= work->capacity)
        return FULL;
    work->antecedent[work->found] = x;
    work->consequent[work->found] = y;
    work->whole[work->found++] = whole;
    return DONE;
}

/* The splits whose smaller side by limit is enumerated: masks of one size after another, each the next larger number with as many
   bits (Warren, Hacker's Delight, 2nd ed., section 2-1). */
static int split_by_smaller_side(splitter *work, int32_t whole, int32_t depth, int64_t most, int64_t *tried)
{
    int is_antecedent = work->max_antecedent < work->max_consequent;
    int32_t limit = is_antecedent ? work->max_antecedent : work->max_consequent;
    int32_t other_limit = is_antecedent ? work->max_consequent : work->max_antecedent;
    int32_t largest = smaller(depth - 1, limit);
    int64_t end = (int64_t)1 << depth;
    for (int32_t size = larger(1, depth - other_limit); size <= largest; size++) {
        for (int64_t mask = ((int64_t)1 << size) - 1; mask < end; ++*tried) {
            int refusal = split_off(work, whole, mask, is_antecedent, most);
            if (refusal)
                return refusal;
            int64_t lowest = mask & -mask;
            int64_t carried = mask + lowest;
            mask = carried | (((mask ^ carried) / lowest) >> 2);
        }
    }
    return DONE;
}

int split_nodes(splitter *work, int64_t last, int64_t budget, int small)
{
    const lattice *in = work->in;
    for (; work->at < last && budget > 0; work->at++) {
        int32_t whole = work->order[work->at];
        int32_t depth = work->depth[whole];
        int64_t half = (int64_t)1 << (depth - 1);
        int64_t tried = 1;
        if (small) {
            work->keys[depth - 1] = item_key(in->seed, in->item[whole]);
            work->singles[depth - 1] = member(in, work->keys[depth - 1]);
        } else {
            int64_t missing = extend_subsets(in, half, in->item[whole], work->hashes, work->ids, work->supports);
            work->lacking[depth] = work->lacking[depth - 1] || missing > 0;
            tried = half;
        }
        if (depth > 1 && in->support[whole] > 0) {
            int64_t most = most_support(work, in->support[whole]);
            int limited = work->max_antecedent < depth - 1 || work->max_consequent < depth - 1;
            int refusal = small                                 ? split_by_smaller_side(work, whole, depth, most, &tried)
                          : limited || work->lacking[depth] ? split_with_care(work, whole, depth, most)
                                                            : split_by_table(work, whole, depth, most);
            if (refusal)
                return refusal;
            tried += small ? 0 : half;
        }
        budget -= tried;
    }
    return DONE;
}

int64_t best_general_rules(const lattice *in, int64_t n, int64_t first, int64_t last, const int32_t *antecedent,
                           const int32_t *consequent, const int32_t *whole, uint64_t *keys, int32_t *best_xy, int32_t *best_x)
{
    for (int64_t i = first; i < last; i++) {
        int32_t size = 0;
        for (int32_t node = antecedent[i]; node >= 0; node = in->parent[node])
            keys[size++] = item_key(in->seed, in->item[node]);
        uint64_t others = in->hash[whole[i]] - in->hash[antecedent[i]];
        int64_t xy = in->support[consequent[i]];
        int64_t x = n;
        uint64_t part = 0;
        int64_t mask = 0;
        int64_t full = ((int64_t)1 << size) - 1;
        for (int64_t step = 1; step <= full; step++) { /* a Gray code: one item in or out at a time */
            int32_t bit = __builtin_ctzll((unsigned long long)step);
            part = mask >> bit & 1 ? part - keys[bit] : part + keys[bit];
            mask ^= (int64_t)1 << bit;
            if (mask == full)
                continue;
            int32_t general_x = member(in, part);
            int32_t general_xy = member(in, part + others);
            if (general_x < 0 || general_xy < 0)
                return i;
            int64_t count_x = in->support[general_x];
            int64_t count_xy = in->support[general_xy];
            if (count_xy * x > xy * count_x) {
                xy = count_xy;
                x = count_x;
            }
        }
        best_xy[i] = (int32_t)xy;
        best_x[i] = (int32_t)x;
    }
    return -1;
}
