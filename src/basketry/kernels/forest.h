/* A sum of regression trees over rows of features. Tree t has its splits at [split_start[t], split_start[t+1]) of feature,
   threshold, flags, child and value, its leaves at [leaf_start[t], leaf_start[t+1]) of leaf; it begins at its first split, or is
   one leaf. child[2s] and child[2s+1], left and right, are a later split of the same tree, counted from its first, or -1 - leaf.
   A row goes left if its feature is at most the threshold. flags: 1, what is missing goes left; 2, NaN is missing (else it is 0);
   4, zero is missing. cover and leaf_cover are the rows that came to a split and to a leaf in learning, above 0; parent and
   leaf_parent the split before, twice its number plus 1 for its right side, -1 at the first. */
typedef struct {
    int64_t n_trees;
    int64_t n_features;
    const int64_t *split_start;
    const int64_t *leaf_start;
    const int32_t *feature;
    const double *threshold;
    const uint8_t *flags;
    const int32_t *child;
    const double *leaf;
    const double *cover;
    const double *leaf_cover;
    const int32_t *parent;
    const int32_t *leaf_parent;
} forest;

/* out[r] = the sum of the leaves that row r of x [n, n_features] reaches. */
void forest_predict(const forest *of, int64_t n, const float *x, double *out);

/* out [n, n_features + 1]: the Shapley value of each feature of row r, and last what is expected of a row of which nothing is
   known: together the prediction. What is expected where only some features are known follows the row at splits by these, and at
   others both ways by cover. scratch [4, n_features + 1]. */
void forest_shapley(const forest *of, int64_t n, const float *x, double *scratch, double *out);
