/* The best k products of each of n queries over n_products: best score first, the smaller code first where scores are equal.

   Query q holds the products seen[seen_start[q] .. seen_start[q+1]); unless repeats is set, these are not ranked. allowed is NULL,
   or says of each product whether it may be ranked, for query q from allowed[q * allowed_stride]; a stride of 0 is one word for
   all. mark is scratch [n_products], filled with -1. Rows of out_product (-1 for none) and out_score are k long. */
typedef struct {
    int64_t n_products;
    const int64_t *seen_start;
    const int32_t *seen;
    const uint8_t *allowed;
    int64_t allowed_stride;
    int32_t repeats;
    int64_t k;
    int32_t *mark;
    int32_t *out_product;
    double *out_score;
} ranking;

/* Rank by dense scores [n, n_products]; a NaN or minus infinity is never ranked. */
void rank_dense(const ranking *to, int64_t first, int64_t last, const float *scores);

/* Rank by score(q, j) = sum over the events e of q of weight[e] * row seen[e] of a sparse matrix, entry j. Terms that are not
   above 0 add nothing, and products without any other are not ranked. sum [n_products] comes in and goes out as zeros; touched is scratch [n_products]. */
void rank_sparse(const ranking *to, int64_t first, int64_t last, const double *weight, const int64_t *row_start,
                 const int32_t *column, const float *value, double *sum, int32_t *touched);

/* The same sums for all products, rounded once: out [last - first, n_products]. sum is scratch [n_products]. */
void score_sparse(const ranking *to, int64_t first, int64_t last, const double *weight, const int64_t *row_start,
                  const int32_t *column, const float *value, double *sum, float *out);
