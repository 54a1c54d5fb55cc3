/* Part of a CSR of baskets, for passes over data that do not fit memory. rank[item] is -1 for an item left out.

   For each rank r, add to held[r] the items that baskets with r hold up to r itself, and to baskets[r] the baskets with r.
   scratch has room for the longest basket. */
void measure_anchors(int64_t n, const int64_t *indptr, const int32_t *items, const int32_t *rank, int32_t *scratch,
                     int64_t *held, int64_t *baskets);

/* Write the baskets with a rank in [first, last), in order: their ranks below last into out_items, ascending; where each ends
   (counted from 0 at the first call's start) into out_ends; which they are into out_which. At most room_items and room_baskets
   are written. Returns the number of baskets, or -1 if there is not room enough. */
int64_t project_baskets(int64_t n, const int64_t *indptr, const int32_t *items, const int32_t *rank, int32_t first,
                        int32_t last, int64_t already, int64_t room_items, int64_t room_baskets, int32_t *out_items,
                        int64_t *out_ends, int32_t *out_which);
