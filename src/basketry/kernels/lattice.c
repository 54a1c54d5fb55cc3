/* Finding an itemset in a prefix tree by its items, in whatever order they come.

   Each item has a pseudo-random key of 64 bits and an itemset's hash is the sum of its items' keys: it does not depend on order,
   and leaving an item out is one subtraction. The table stores node ids only; the hash a node was stored under is compared in
   full. Since no two nodes share a hash (another seed is tried where two would), a look-up of an itemset that is in the tree is
   exact. One that is not is taken for another with a chance of nodes / 2^64. */

#include "lattice.h"

#include <stddef.h>

enum { EMPTY_SET = -1, MISSING = -2, BATCH = 64 };

/* Vigna's splitmix64, of the seed and the item's number. */
uint64_t item_key(uint64_t seed, int32_t item)
{
    uint64_t z = seed + ((uint64_t)(uint32_t)item + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t slot_of(uint64_t hash, int32_t bits)
{
    return hash >> (64 - bits);
}

static inline int32_t find(const lattice *in, uint64_t hash)
{
    uint64_t last = ((uint64_t)1 << in->bits) - 1;
    for (uint64_t at = slot_of(hash, in->bits);; at = (at + 1) & last) {
        int32_t id = in->slots[at];
        if (id < 0 || in->hash[id] == hash)
            return id;
    }
}

int32_t find_hash(const lattice *in, uint64_t hash)
{
    return find(in, hash);
}

int64_t hash_itemsets(int64_t first, int64_t last, const int32_t *parent, const int32_t *item, uint64_t seed, int32_t bits,
                      uint64_t *hash, int32_t *depth, int32_t *slots, int64_t *other)
{
    uint64_t end = ((uint64_t)1 << bits) - 1;
    for (int64_t i = first; i < last; i++) {
        int32_t above = parent[i];
        uint64_t h = item_key(seed, item[i]) + (above < 0 ? 0 : hash[above]);
        uint64_t at = slot_of(h, bits);
        if (h == 0) { /* that is the empty itemset's */
            *other = i;
            return i;
        }
        hash[i] = h;
        depth[i] = above < 0 ? 1 : depth[above] + 1;
        for (; slots[at] >= 0; at = (at + 1) & end) {
            if (hash[slots[at]] == h) {
                *other = slots[at];
                return i;
            }
        }
        slots[at] = (int32_t)i;
    }
    return -1;
}

void order_depth_first(int64_t m, const int32_t *parent, int32_t *child, int32_t *sibling, int32_t *order)
{
    int32_t root = -1;
    for (int64_t i = m - 1; i >= 0; i--) {
        int32_t *head = parent[i] < 0 ? &root : child + parent[i];
        sibling[i] = *head;
        *head = (int32_t)i;
    }
    int32_t at = root;
    for (int64_t written = 0; at >= 0; written++) {
        order[written] = at;
        if (child[at] >= 0) {
            at = child[at];
            continue;
        }
        while (at >= 0 && sibling[at] < 0)
            at = parent[at];
        if (at >= 0)
            at = sibling[at];
    }
}

void find_itemsets(const lattice *in, int64_t n, const int64_t *start, const int32_t *items, int32_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t hash = 0;
        for (int64_t k = start[i]; k < start[i + 1]; k++)
            hash += item_key(in->seed, items[k]);
        out[i] = find(in, hash);
    }
}

void drop_each(const lattice *in, int64_t first, int64_t last, const int32_t *of, const int32_t *from, const int64_t *start,
               int32_t *out)
{
    for (int64_t i = first; i < last; i++) {
        int32_t *at = out + start[i];
        for (int32_t node = of[i]; node >= 0; node = in->parent[node]) {
            uint64_t rest = in->hash[from[i]] - item_key(in->seed, in->item[node]);
            int32_t id = rest == 0 ? EMPTY_SET : find(in, rest);
            *at++ = rest != 0 && (id < 0 || in->support[id] == 0) ? MISSING : id;
        }
    }
}

/* In three sweeps over a small batch, so that the misses of one sweep overlap: hash and fetch the slot; read the slot and fetch the
   node; compare. */
int64_t extend_subsets(const lattice *in, int64_t half, int32_t item, uint64_t *hashes, int32_t *ids, int32_t *supports)
{
    uint64_t key = item_key(in->seed, item);
    int64_t missing = 0;
    for (int64_t begin = 0; begin < half; begin += BATCH) {
        int64_t end = begin + BATCH < half ? begin + BATCH : half;
        for (int64_t k = begin; k < end; k++) {
            uint64_t hash = hashes[k] + key;
            hashes[half + k] = hash;
            __builtin_prefetch(in->slots + slot_of(hash, in->bits));
        }
        for (int64_t k = begin; k < end; k++) {
            int32_t id = in->slots[slot_of(hashes[half + k], in->bits)];
            if (id >= 0) {
                __builtin_prefetch(in->hash + id);
                __builtin_prefetch(in->support + id);
            }
        }
        for (int64_t k = begin; k < end; k++) {
            int32_t id = find(in, hashes[half + k]);
            int32_t support = id < 0 ? 0 : in->support[id];
            ids[half + k] = support == 0 ? -1 : id;
            supports[half + k] = support;
            missing += support == 0;
        }
    }
    return missing;
}
