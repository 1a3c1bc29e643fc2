"""A home taken away and brought back: what a backup holds, how it is packed, checked and put in place."""
