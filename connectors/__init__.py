"""Sources of the connectors that tests and demonstrations use, and what builds them."""
