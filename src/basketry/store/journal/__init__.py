"""What happened since the last ingest, and who did what: events, changes of products, jobs, keys, audit, experiments."""
