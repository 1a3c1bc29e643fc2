"""`aileron server import` and `restore`: servers move from agents' files to Aileron, and back."""
