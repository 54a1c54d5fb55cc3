/* Selecting the best k of many scores, in one pass and without sorting what is not kept. */

#include <math.h>
#include "kernels.h"
#include "ranking.h"

typedef struct {
    double score;
    int32_t product;
} entry;

static int worse(entry a, entry b)
{
    return a.score < b.score || (a.score == b.score && a.product > b.product);
}

/* A heap whose root is the worst of what is kept. It lives in the output rows themselves. */
typedef struct {
    int32_t *product;
    double *score;
    int64_t size;
    int64_t k;
} heap;

static entry at(const heap *h, int64_t i)
{
    return (entry){h->score[i], h->product[i]};
}

static void put(heap *h, int64_t i, entry e)
{
    h->score[i] = e.score;
    h->product[i] = e.product;
}

static void sink(heap *h, int64_t i, int64_t size, entry e)
{
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= size)
            break;
        if (child + 1 < size && worse(at(h, child + 1), at(h, child)))
            child++;
        if (!worse(at(h, child), e))
            break;
        put(h, i, at(h, child));
        i = child;
    }
    put(h, i, e);
}

static void offer(heap *h, entry e)
{
    if (h->size < h->k) {
        int64_t i = h->size++;
        while (i > 0 && worse(e, at(h, (i - 1) / 2))) {
            put(h, i, at(h, (i - 1) / 2));
            i = (i - 1) / 2;
        }
        put(h, i, e);
    } else if (worse(at(h, 0), e)) {
        sink(h, 0, h->size, e);
    }
}

/* Best first: the root, which is the worst, goes to the end, again and again. */
static void settle(heap *h)
{
    for (int64_t i = h->size - 1; i > 0; i--) {
        entry worst = at(h, 0);
        entry last = at(h, i);
        sink(h, 0, i, last);
        put(h, i, worst);
    }
    for (int64_t i = h->size; i < h->k; i++)
        put(h, i, (entry){0, -1});
}

static heap begin(const ranking *to, int64_t q)
{
    if (!to->repeats)
        for (int64_t e = to->seen_start[q]; e < to->seen_start[q + 1]; e++)
            to->mark[to->seen[e]] = (int32_t)q;
    return (heap){to->out_product + q * to->k, to->out_score + q * to->k, 0, to->k};
}

static int may(const ranking *to, int64_t q, int32_t product)
{
    return to->mark[product] != (int32_t)q && (!to->allowed || to->allowed[q * to->allowed_stride + product]);
}

void rank_dense(const ranking *to, int64_t first, int64_t last, const float *scores)
{
    for (int64_t q = first; q < last; q++) {
        heap h = begin(to, q);
        const float *row = scores + (q - first) * to->n_products;
        double least = -INFINITY;
        for (int32_t j = 0; j < to->n_products; j++) {
            if (!(row[j] > least) || !may(to, q, j)) /* codes rise, so an equal score later never displaces an earlier one */
                continue;
            offer(&h, (entry){row[j], j});
            if (h.size == h.k)
                least = h.score[0];
        }
        settle(&h);
    }
}

void rank_sparse(const ranking *to, int64_t first, int64_t last, const double *weight, const int64_t *row_start,
                 const int32_t *column, const float *value, double *sum, int32_t *touched)
{
    for (int64_t q = first; q < last; q++) {
        int64_t found = 0;
        for (int64_t e = to->seen_start[q]; e < to->seen_start[q + 1]; e++) {
            double w = weight[e];
            for (int64_t i = row_start[to->seen[e]]; i < row_start[to->seen[e] + 1]; i++) {
                int32_t j = column[i];
                double more = w * value[i];
                if (!(more > 0)) /* a sum that has begun is never 0 again, so touched holds no product twice */
                    continue;
                if (sum[j] == 0)
                    touched[found++] = j;
                sum[j] += more;
            }
        }
        heap h = begin(to, q);
        for (int64_t i = 0; i < found; i++) {
            int32_t j = touched[i];
            double score = sum[j];
            sum[j] = 0;
            if (score > 0 && may(to, q, j))
                offer(&h, (entry){score, j});
        }
        settle(&h);
    }
}

void score_sparse(const ranking *to, int64_t first, int64_t last, const double *weight, const int64_t *row_start,
                  const int32_t *column, const float *value, double *sum, float *out)
{
    for (int64_t q = first; q < last; q++, out += to->n_products) {
        for (int64_t j = 0; j < to->n_products; j++)
            sum[j] = 0;
        for (int64_t e = to->seen_start[q]; e < to->seen_start[q + 1]; e++) {
            double w = weight[e];
            for (int64_t i = row_start[to->seen[e]]; w > 0 && i < row_start[to->seen[e] + 1]; i++)
                sum[column[i]] += w * value[i];
        }
        for (int64_t j = 0; j < to->n_products; j++)
            out[j] = (float)sum[j];
    }
}
