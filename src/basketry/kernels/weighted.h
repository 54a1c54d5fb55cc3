/* Counts in which every basket has a weight of its own. */

/* One item's running sums under the present anchor. */
typedef struct {
    double weight;
    int32_t count;
} weighed;

/* For the anchors [first, last) write each pair met, its baskets, and the sum of their weights in the order of the baskets;
   return how many. sums [n_ranks] is all zero before and after; touched has room for n_ranks + 1. */
int64_t weigh_anchors(const basket_index *index, int64_t first, int64_t last, const double *weights, weighed *sums,
                      int32_t *touched, int32_t *a, int32_t *b, int32_t *count, double *weight);

/* order[i] is the i-th node of a tree on a walk that goes down first, depth[i] its depth from 0; parent[i] < i throughout.
   small, least and wide are scratch [m]. Returns the most that weigh_nodes keeps in its lists at once. */
int64_t walk_tree(const basket_index *index, int64_t m, const int32_t *parent, const int32_t *item, int32_t *small,
                  int32_t *least, int64_t *wide, int32_t *order, int32_t *depth);

/* Baskets that hold each node of [first, last) on that walk, and the sum of their weights. Ranges must be taken in order: held
   [deepest + 1] and lists keep the baskets of the nodes above from one call to the next: the list of level d lies in
   [held[d - 1], held[d]), and level 0, which needs none, has the item's own. Ranks in the index are the items themselves. */
void weigh_nodes(const basket_index *index, int64_t first, int64_t last, const int32_t *order, const int32_t *depth,
                 const int32_t *item, const double *weights, int64_t *held, int32_t *lists, int32_t *count, double *weight);
