/* Many small least-squares problems that share one diagonal. Row r holds the items item[start[r] .. start[r+1]) with weights not
   below 0; y of an item is its row of factors [n_items, dim]. Its x minimises

       sum over its entries of weight * (1 - y . x)^2  +  sum over f of (spectrum[f] + own[r]) * x[f]^2,

   and every spectrum[f] + own[r] is above 0. */
typedef struct {
    int64_t dim;
    const int64_t *start;
    const int32_t *item;
    const double *weight;
    const float *factors;
    const double *spectrum;
    const double *own;
} ridge;

/* How many bytes of scratch ridge_single or ridge_double need. */
int64_t ridge_scratch(int64_t dim);

/* x of the rows [first, last), into out [n, dim], worked out in numbers of 32 or of 64 bits. */
void ridge_single(const ridge *of, int64_t first, int64_t last, void *scratch, float *out);
void ridge_double(const ridge *of, int64_t first, int64_t last, void *scratch, double *out);
