"""Why a product is listed, for any ranker: what each event of the history brought, and what would have to be gone."""
