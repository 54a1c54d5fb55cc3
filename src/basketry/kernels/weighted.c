/* Weighted counts: of pairs by occurrence delivery, as in pairs.c, and of the nodes of a prefix tree by intersecting lists of
   baskets from the root down. Weights are summed in the order of the baskets, so a sum never depends on how work was cut. */

#include "kernels.h"
#include "weighted.h"

enum { FAR = 16 };

int64_t weigh_anchors(const basket_index *index, int64_t first, int64_t last, const double *weights, weighed *sums,
                      int32_t *touched, int32_t *a, int32_t *b, int32_t *count, double *weight)
{
    int64_t written = 0;
    for (int64_t r = first; r < last; r++) {
        int64_t n_touched = 0;
        for (int64_t k = index->occ_start[r]; k < index->occ_start[r + 1]; k++) {
            int32_t t = index->occ[k];
            for (const int32_t *other = index->rows + index->row_start[t]; *other != (int32_t)r; other++) {
                weighed *sum = sums + *other;
                touched[n_touched] = *other;
                n_touched += sum->count == 0;
                sum->count++;
                sum->weight += weights[t];
            }
        }
        int32_t anchor = index->code[r];
        for (int64_t i = 0; i < n_touched; i++) {
            int32_t other = index->code[touched[i]];
            weighed *sum = sums + touched[i];
            a[written] = anchor < other ? anchor : other;
            b[written] = anchor < other ? other : anchor;
            count[written] = sum->count;
            weight[written++] = sum->weight;
            *sum = (weighed){0, 0};
        }
    }
    return written;
}

int64_t walk_tree(const basket_index *index, int64_t m, const int32_t *parent, const int32_t *item, int32_t *small,
                  int32_t *least, int64_t *wide, int32_t *order, int32_t *depth)
{
    int32_t *size = small;
    int64_t *cursor = wide;
    int64_t longest = 0;
    int64_t roots = 0;
    for (int64_t i = 0; i < m; i++)
        size[i] = 1;
    for (int64_t i = m - 1; i >= 0; i--)
        if (parent[i] >= 0)
            size[parent[i]] += size[i];
    for (int64_t i = 0; i < m; i++) {
        int64_t *free = parent[i] < 0 ? &roots : cursor + parent[i];
        int64_t place = *free;
        *free += size[i];
        cursor[i] = place + 1;
        order[place] = (int32_t)i;
    }
    int32_t *own_depth = small;
    int64_t *kept = wide;
    for (int64_t i = 0; i < m; i++) {
        int32_t up = parent[i];
        int32_t own = (int32_t)(index->occ_start[item[i] + 1] - index->occ_start[item[i]]);
        own_depth[i] = up < 0 ? 0 : own_depth[up] + 1;
        least[i] = up < 0 || own < least[up] ? own : least[up];
        kept[i] = up < 0 ? 0 : kept[up] + least[i];
        longest = kept[i] > longest ? kept[i] : longest;
    }
    for (int64_t i = 0; i < m; i++)
        depth[i] = own_depth[order[i]];
    return longest;
}

/* The first place in [low, high) of an ascending list whose value is at least `wanted`. */
static int64_t reach(const int32_t *list, int64_t low, int64_t high, int32_t wanted)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (list[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t meet(const int32_t *few, int64_t n_few, const int32_t *many, int64_t n_many, int32_t *out)
{
    int64_t found = 0;
    int64_t k = 0;
    if (n_few > n_many)
        return meet(many, n_many, few, n_few, out);
    if (n_few * FAR < n_many) {
        for (int64_t i = 0; i < n_few; i++) {
            k = reach(many, k, n_many, few[i]);
            if (k == n_many)
                break;
            if (many[k] == few[i])
                out[found++] = few[i];
        }
        return found;
    }
    for (int64_t i = 0; i < n_few && k < n_many;) {
        int32_t x = few[i];
        int32_t y = many[k];
        if (x == y)
            out[found++] = x;
        i += x <= y;
        k += y <= x;
    }
    return found;
}

void weigh_nodes(const basket_index *index, int64_t first, int64_t last, const int32_t *order, const int32_t *depth,
                 const int32_t *item, const double *weights, int64_t *held, int32_t *lists, int32_t *count, double *weight)
{
    for (int64_t i = first; i < last; i++) {
        int32_t node = order[i];
        int32_t d = depth[i];
        const int32_t *list = index->occ + index->occ_start[item[node]];
        int64_t n = index->occ_start[item[node] + 1] - index->occ_start[item[node]];
        if (d == 0) {
            held[0] = item[node]; /* the root's list stays where it is; lists begin at 0 for level 1 */
        } else {
            int64_t begin = d == 1 ? 0 : held[d - 1];
            const int32_t *up = index->occ + index->occ_start[held[0]];
            int64_t n_up = index->occ_start[held[0] + 1] - index->occ_start[held[0]];
            if (d > 1) {
                int64_t above = d == 2 ? 0 : held[d - 2];
                up = lists + above;
                n_up = begin - above;
            }
            n = meet(up, n_up, list, n, lists + begin);
            list = lists + begin;
            held[d] = begin + n;
        }
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += weights[list[k]];
        count[node] = (int32_t)n;
        weight[node] = sum;
    }
}
