"""One module a resource. `cluster` is the one to copy for a new resource."""
