#pragma once
#include "lattice.h"
#include <stdint.h>

/* What it takes to split itemsets into rules X => Y, and how far it has come. order [m] lists the nodes depth first, depth [m] how
   many items each has. A rule is written where support(X) <= support(X u Y) * denominator / numerator (any, if numerator is 0) and
   1 <= |X| <= max_antecedent, 1 <= |Y| <= max_consequent.

   hashes, ids and supports [1 << longest] hold all subsets of the present path by mask, bit d being the item at depth d + 1; entry
   0 is the empty one. keys and singles [longest] hold the path's items. lacking [longest + 1] says whether a subset of the path's
   first d items is no member. antecedent, consequent and whole [capacity + 1] take the rules; found of them are written. */
typedef struct {
    const lattice *in;
    const int32_t *order;
    const int32_t *depth;
    int64_t numerator;
    int64_t denominator;
    int32_t max_antecedent;
    int32_t max_consequent;
    uint64_t *hashes;
    int32_t *ids;
    int32_t *supports;
    uint64_t *keys;
    int32_t *singles;
    uint8_t *lacking;
    int32_t *antecedent;
    int32_t *consequent;
    int32_t *whole;
    int64_t capacity;
    int64_t found;
    int64_t at;
} splitter;

/* Split the nodes from order[at] on until about `budget` splits are tried or order[last] is reached; small: by looking up the
   smaller side, else by the table of all subsets. Returns 0, or 1 when `capacity` is exceeded, or 2 when a subset that is needed
   is no member; at is then the place of its itemset in order. */
int split_nodes(splitter *work, int64_t last, int64_t budget, int small);

/* For each rule i in [first, last) with antecedent[i] and whole[i]: among all rules with the same consequent and a proper subset of
   the antecedent, the empty one too, the counts of the most confident: best_xy[i] of best_x[i]. n baskets in all; keys [longest] is
   scratch. Returns -1, or the first rule of which a subset is no member. */
int64_t best_general_rules(const lattice *in, int64_t n, int64_t first, int64_t last, const int32_t *antecedent,
                           const int32_t *consequent, const int32_t *whole, uint64_t *keys, int32_t *best_xy, int32_t *best_x);
