"""A host's own load and network interfaces: the parsers behind the source host_load, one module per system."""
