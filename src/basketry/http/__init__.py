"""The API over HTTP: parses, asks `app`, answers. No `if` about the domain."""
