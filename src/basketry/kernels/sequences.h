#pragma once
#include <stdint.h>

/* What is known of one item under the pattern at hand, as a member of its last element or of a later one. count: sequences,
   and once its ends are written out, those of them that can still grow. ends: room its ends need at most. last: the sequence
   met last (its complement while ends are written). cursor: where its next end goes, -1 for an item that is not followed. */
typedef struct {
    int32_t count;
    int32_t ends;
    int32_t last;
    int32_t cursor;
} sequence_tally;

/* A pattern found but not yet extended: its node, its ends, and what it may still become. `rows_used` is the end of the rows
   its ends point into, `region` how many entries those rows have, `candidates` how many distinct items. */
typedef struct {
    int64_t first;
    int64_t last;
    int64_t rows_used;
    int64_t region;
    int32_t node;
    int32_t item;
    int32_t joins;
    int32_t length;
    int32_t elements;
    int32_t candidates;
} pending_pattern;

/* The whole state of a search; every array is the caller's, and may be replaced by a longer copy between two calls.

   Rows: the items of each sequence in order, then -1. link[q] is the element of entry q, or, in a `plain` database, the entry
   of the same item before it in its sequence, -1 if there is none. sequence and clock have one entry an element.
   Ends: see sequences.c; starts (NULL without a window) are the elements where their latest embeddings begin.
   Guide (NULL while mining): the children of node i of a given tree are guide[guide_start[i + 1] .. guide_start[i + 2]); its
   parent, item and joins are read, its support written.
   Twins (NULL without them; two numbers an item, joining ones first): sequences 2i and 2i + 1 are one, looked at in two ways.
   node_odd counts those of odd number, node_both those of odd number whose even twin holds the pattern too, and min_count is
   of pairs in which either does. */
typedef struct {
    int32_t *item;
    int32_t *link;
    int64_t rows_used;
    int64_t rows_room;
    const int32_t *sequence;
    const int64_t *clock;
    int32_t *ends;
    int32_t *starts;
    int64_t ends_used;
    int64_t ends_room;
    pending_pattern *pending;
    int64_t pending_used;
    int64_t pending_room;
    sequence_tally *joining;
    sequence_tally *following;
    int32_t *touched_joining;
    int32_t *touched_following;
    int32_t *twins;
    int32_t *where;
    int32_t *node_parent;
    int32_t *node_item;
    int32_t *node_support;
    uint8_t *node_joins;
    int32_t *node_odd;
    int32_t *node_both;
    int64_t nodes_used;
    int64_t nodes_room;
    const int64_t *guide_start;
    const int32_t *guide;
    int64_t n_ranks;
    int64_t min_gap;
    int64_t max_gap;
    int64_t window;
    int32_t min_count;
    int32_t max_length;
    int32_t max_elements;
    int32_t plain;
    int32_t gapped;
    int32_t narrowing;
    int64_t need;
} sequence_miner;

/* Check a database of sequences and count the sequences of each item; last_sequence is scratch [n_items], all -1. Returns 0,
   or one of the REFUSED_ codes with the offending sequence in *where; *joint says whether any element holds two items. */
int scan_sequences(int64_t n, int64_t n_elements, int64_t n_items, int64_t nnz, const int64_t *starts, const int64_t *elements,
                   const int32_t *items, const int64_t *clock, int32_t *last_sequence, int32_t *frequency, int64_t *where);

/* Write the rows of a checked database: rank[item] is -1 for an item left out; an element or a sequence left without items is
   left out whole. before is scratch [n_ranks]. Returns the elements kept; *rows gets the entries written, *widest the items of
   the largest element. clock NULL: an element's number within its sequence. */
int64_t fill_sequences(int64_t n, const int64_t *starts, const int64_t *elements, const int32_t *items, const int64_t *clock,
                       const int32_t *rank, int32_t *item, int32_t *element, int32_t *previous, int32_t *before,
                       int32_t *sequence, int64_t *kept_clock, int64_t *rows, int64_t *widest);

/* Find the patterns of one item. Returns as extend_patterns does. */
int plant_patterns(sequence_miner *miner);

/* Extend pending patterns until none is left (0), about `budget` entries were read (1), or an array is too short: nodes (2),
   ends (3), rows (4) or pending (5), with the length it needs in miner->need; call again. */
int extend_patterns(sequence_miner *miner, int64_t budget);

/* Items and elements of each node's pattern. */
void measure_sequences(int64_t m, const int32_t *parent, const uint8_t *joins, int32_t *length, int32_t *elements);

/* Mark patterns by comparing each with those one item shorter. EQUAL (0) and ANY (1): the shorter one is marked, where its
   support is the same, or in any case. NEAR (2): the longer one is marked, where its support is below the other's by less than
   `floor`, or the other is marked. Returns how many marks are new.
   Walks the subtrees of the roots children[first .. last); children of node i are children[child_start[i + 1] ..
   child_start[i + 2]), members of the last element first, each in the order of items. contiguous: only items whose loss leaves
   no gap are taken away. shorter: scratch for depth (depth + 1) / 2 nodes; path and turn: scratch [depth + 1]. */
int64_t mark_sequences(int64_t first, int64_t last, const int64_t *child_start, const int32_t *children, const int32_t *item,
                       const int32_t *support, const uint8_t *joins, int how, int32_t floor, int contiguous, int32_t *shorter,
                       int32_t *path, int64_t *turn, uint8_t *marked);

/* kept [m]: also the nodes on the way to kept ones. */
void keep_ways(int64_t m, const int32_t *parent, uint8_t *kept);
