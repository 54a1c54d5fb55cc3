#pragma once
#include <stdint.h>

typedef struct support_counter support_counter;

/* Make ready to count the nodes of a prefix tree [n_nodes] over checked baskets. frequency [n_items] is each item's number of
   baskets. groups [n] (never falling) and node_groups [n_nodes] are NULL unless distinct groups are wanted. Returns NULL without
   memory. The answers node_baskets [n_nodes] (and node_groups) come in as zeros. */
support_counter *counting_open(int64_t n, int64_t n_items, const int64_t *indptr, const int32_t *items, const int32_t *frequency,
                               const int32_t *groups, int64_t n_nodes, const int32_t *parent, const int32_t *item,
                               int32_t *node_baskets, int32_t *node_groups, int32_t threads);

/* Work until nothing is left or somebody says stop; each thread calls it once, with its own number from 0. */
void counting_run(support_counter *counter, int32_t thread);
void counting_stop(support_counter *counter);
/* How many first items are done; and 0 well, 1 stopped, 9 no memory. */
int64_t counting_done(const support_counter *counter, int32_t *state);
void counting_close(support_counter *counter);
