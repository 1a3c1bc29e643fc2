"""How changed files come into the person's folder: all or nothing, with a journal."""
