"""What an agent writes on: a folder opened once without links, and the layer over it, or the copy of it."""
