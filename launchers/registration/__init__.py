"""Our server in people's configuration files: put in and taken out, text to text, every other byte as it was."""
