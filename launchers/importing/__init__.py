"""The servers in agents' own files: read in each agent's form, taken out and given back with every other byte kept."""
