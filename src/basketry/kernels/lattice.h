#pragma once
#include <stdint.h>

/* An itemset tree whose nodes can be found by their items. hash[i] is the sum, modulo 2^64, of the keys of node i's items, no two
   nodes sharing one; slots [1 << bits] is an open-addressing table of node ids, -1 where empty. */
typedef struct {
    const int32_t *parent;
    const int32_t *item;
    const int32_t *support;
    const uint64_t *hash;
    const int32_t *slots;
    uint64_t seed;
    int32_t bits;
} lattice;

/* Hash the nodes [first, last) and put them into the table, parents before children; depth[i] is how many items node i has.
   Returns -1, or the first node whose hash another node has too, which then stands in *other (itself: the empty one's). */
int64_t hash_itemsets(int64_t first, int64_t last, const int32_t *parent, const int32_t *item, uint64_t seed, int32_t bits,
                      uint64_t *hash, int32_t *depth, int32_t *slots, int64_t *other);

/* Write the nodes depth first: each after its parent, its descendants right after it, siblings ascending. child [m] and sibling
   [m] are scratch, child all -1. */
void order_depth_first(int64_t m, const int32_t *parent, int32_t *child, int32_t *sibling, int32_t *order);

/* The key of an item: what it adds to a hash. */
uint64_t item_key(uint64_t seed, int32_t item);

/* The node with this hash, -1 if there is none. */
int32_t find_hash(const lattice *in, uint64_t hash);

/* out[i] = the node whose items are items[start[i] .. start[i + 1]), -1 if there is none. */
void find_itemsets(const lattice *in, int64_t n, const int64_t *start, const int32_t *items, int32_t *out);

/* For i in [first, last) and each item of node of[i], from the last on its path to the first: the node of from[i] without that
   item, from out[start[i]] on; -1 is the empty itemset, -2 an itemset that is no member. */
void drop_each(const lattice *in, int64_t first, int64_t last, const int32_t *of, const int32_t *from, const int64_t *start,
               int32_t *out);

/* Extend a table of all subsets of a path by one item: entries [half, 2 half) become entries [0, half) with the item added. ids
   are -1 and supports 0 where a subset is no member; returns how many are not. */
int64_t extend_subsets(const lattice *in, int64_t half, int32_t item, uint64_t *hashes, int32_t *ids, int32_t *supports);
