#pragma once
#include <stdint.h>

/* Spans (whole sequences, or windows of them): row t holds the distinct items item[start[t] .. start[t + 1]), ascending, with
   the first and last element each stands in. owner never falls from one span to the next; owners 2i and 2i + 1 are one
   sequence, forwards and backwards. */
typedef struct {
    const int64_t *start;
    const int32_t *item;
    const int32_t *first;
    const int32_t *last;
    const int32_t *owner;
    int64_t n_spans;
    int64_t n_ranks;
} span_index;

/* What one item adds to a rule at hand, on one of its sides; twins as in sequences.h. */
typedef struct {
    int32_t count;
    int32_t entries;
    int32_t last;
    int32_t odd;
    int32_t both;
    int32_t cursor;
} rule_tally;

/* A rule found but not yet extended, its entries, and the largest item of either side. side: 0 while only the antecedent's first
   item is there, 1 where the consequent grew last, 2 where the antecedent did. */
typedef struct {
    int64_t first;
    int64_t last;
    int32_t node;
    int32_t side;
    int32_t item;
    int32_t largest_before;
    int32_t largest_after;
    int32_t n_before;
    int32_t n_after;
} pending_rule;

/* The whole state of a search. An entry is a span with the last of the first places of the antecedent's items (`from`) and the
   first of the last places of the consequent's (`until`). Every array is the caller's. */
typedef struct {
    int32_t *span;
    int32_t *from;
    int32_t *until;
    int64_t entries_used;
    int64_t entries_room;
    pending_rule *pending;
    int64_t pending_used;
    int64_t pending_room;
    rule_tally *before;
    rule_tally *after;
    int32_t *touched_before;
    int32_t *touched_after;
    int32_t *node_parent;
    int32_t *node_item;
    int32_t *node_support;
    int32_t *node_odd;
    int32_t *node_both;
    uint8_t *node_side;
    int64_t nodes_used;
    int64_t nodes_room;
    int32_t min_count;
    int32_t max_before;
    int32_t max_after;
    int64_t need;
} rule_miner;

/* Find the antecedents of one item; then extend until none is left (0), about `budget` places were read (1), or an array is too
   short: nodes (2), entries (3) or pending (4), with the length it needs in miner->need; call again. */
int plant_rules(const span_index *index, rule_miner *miner);
int extend_rules(const span_index *index, rule_miner *miner, int64_t budget);
