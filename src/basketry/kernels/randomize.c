/* Null worlds: item frequencies kept (each item's baskets drawn anew), or frequencies and basket sizes both (trades).

   A trade leaves the uniform distribution over all worlds with the same margins unchanged, and trades between all baskets reach
   every such world: the curveball algorithm (G. Strona et al., 2014; uniformity: C. J. Carstens, 2015), here in rounds in which
   every basket trades once (C. J. Carstens et al., 2018). */

#include "randomize.h"

#include <string.h>

static inline uint64_t rotated(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t next(uint64_t *s)
{
    uint64_t result = rotated(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return result;
}

/* A whole number of [0, bound), exactly uniform: the few values that would favour some numbers are thrown away (Lemire 2019). */
static inline uint32_t below(uint32_t bound, uint64_t *state)
{
    uint64_t product = (next(state) >> 32) * bound;
    if ((uint32_t)product < bound) {
        uint32_t unfair = (uint32_t)(-bound) % bound;
        while ((uint32_t)product < unfair)
            product = (next(state) >> 32) * bound;
    }
    return (uint32_t)(product >> 32);
}

void draw_baskets(int64_t n, int64_t first, int64_t last, const int32_t *frequency, uint64_t *state, int32_t *stamp,
                  int32_t *drawn)
{
    for (int64_t i = first; i < last; i++) {
        int32_t mark = (int32_t)i;
        int64_t wanted = frequency[i];
        int rest = wanted > n - wanted; /* draw those left out, where they are fewer */
        for (int64_t left = rest ? n - wanted : wanted; left > 0;) {
            uint32_t t = below((uint32_t)n, state);
            if (stamp[t] == mark)
                continue;
            stamp[t] = mark;
            left--;
            if (!rest)
                *drawn++ = (int32_t)t;
        }
        for (int64_t t = 0; rest && t < n; t++)
            if (stamp[t] != mark)
                *drawn++ = (int32_t)t;
    }
}

void gather_rows(int64_t n, int64_t n_items, const int32_t *frequency, const int32_t *drawn, int64_t *indptr, int32_t *items)
{
    int64_t total = 0;
    for (int64_t i = 0; i < n_items; i++)
        total += frequency[i];
    for (int64_t k = 0; k < total; k++)
        indptr[drawn[k] + 1]++;
    for (int64_t t = 0; t < n; t++)
        indptr[t + 1] += indptr[t];
    for (int64_t i = 0; i < n_items; i++) {
        for (int32_t k = 0; k < frequency[i]; k++)
            items[indptr[drawn[k]]++] = (int32_t)i;
        drawn += frequency[i];
    }
    memmove(indptr + 1, indptr, (size_t)n * sizeof *indptr); /* every start has moved to its end */
    indptr[0] = 0;
}

void shuffle_order(int64_t n, int32_t *order, uint64_t *state)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = below((uint32_t)(i + 1), state);
        int32_t held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}

/* Merge two ascending rows into `pool`; what both hold stands there once, as its complement. Returns its length. */
static int64_t pooled(const int32_t *a, const int32_t *a_end, const int32_t *b, const int32_t *b_end, int32_t *pool)
{
    int32_t *at = pool;
    while (a < a_end && b < b_end) {
        int32_t x = *a, y = *b;
        int32_t least = x < y ? x : y;
        *at++ = x == y ? ~x : least;
        a += x <= y;
        b += y <= x;
    }
    while (a < a_end)
        *at++ = *a++;
    while (b < b_end)
        *at++ = *b++;
    return at - pool;
}

void trade_baskets(int64_t first, int64_t last, int64_t largest, const int64_t *indptr, const int32_t *order, int32_t *items,
                   uint64_t *state, int32_t *scratch)
{
    int32_t *pool = scratch, *to_a = scratch + 2 * largest, *to_b = scratch + 4 * largest;
    for (int64_t i = first; i < last; i++) {
        int32_t *a = items + indptr[order[2 * i]], *b = items + indptr[order[2 * i + 1]];
        int64_t n_a = indptr[order[2 * i] + 1] - indptr[order[2 * i]];
        int64_t n_b = indptr[order[2 * i + 1] + 1] - indptr[order[2 * i + 1]];
        int64_t length = pooled(a, a + n_a, b, b + n_b, pool);
        int64_t shared = n_a + n_b - length;
        uint64_t needed = (uint64_t)(n_a - shared), left = (uint64_t)(length - shared);
        if (needed == 0 || needed == left)
            continue;
        int64_t at_a = 0, at_b = 0;
        for (int64_t k = 0; k < length; k++) {
            int32_t x = pool[k];
            if (x < 0) {
                to_a[at_a++] = ~x;
                to_b[at_b++] = ~x;
                continue;
            }
            /* the next of `left` goes to a with probability needed / left (off by less than 2^-32) */
            int mine = (next(state) >> 32) * left < needed << 32;
            to_a[at_a] = x;
            to_b[at_b] = x;
            at_a += mine;
            at_b += !mine;
            needed -= (uint64_t)mine;
            left--;
        }
        memcpy(a, to_a, (size_t)n_a * sizeof *a);
        memcpy(b, to_b, (size_t)n_b * sizeof *b);
    }
}
