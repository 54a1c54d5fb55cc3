/* A sum of regression trees over rows of features. Tree t has its splits at [split_start[t], split_start[t+1]) of feature,
   threshold, flags, child and value, its leaves at [leaf_start[t], leaf_start[t+1]) of leaf; it begins at its first split, or is
   one leaf. child[2s] and child[2s+1], left and right, are a later split of the same tree, counted from its first, or -1 - leaf.
   A row goes left if its feature is at most the threshold. flags: 1, what is missing goes left; 2, NaN is missing (else it is 0);
   4, zero is missing. value is the mean of the rows at a split, for contributions. */
typedef struct {
    int64_t n_trees;
    int64_t n_features;
    const int64_t *split_start;
    const int64_t *leaf_start;
    const int32_t *feature;
    const double *threshold;
    const uint8_t *flags;
    const int32_t *child;
    const double *value;
    const double *leaf;
} forest;

/* out[r] = the sum of the leaves that row r of x [n, n_features] reaches. */
void forest_predict(const forest *of, int64_t n, const float *x, double *out);

/* out [n, n_features + 1]: what each feature did on the way of row r, child's value less parent's, and last the roots' values:
   together the prediction. */
void forest_contribute(const forest *of, int64_t n, const float *x, double *out);
