"""Actions: one kind of tool. Installed files, checked against the connectors they name, and run step by step."""
