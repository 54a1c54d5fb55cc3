"""From a shop's own files to clean tables: connectors, mapping, cleaning rules, Dataset and its named queries."""
