"""A centre's imaging gateway: it publishes pointers to studies and serves the studies."""
