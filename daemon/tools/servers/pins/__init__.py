"""What each tool of a server was when a person last accepted it, and the names that agents call it by."""
