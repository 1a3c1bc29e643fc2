"""What an agent writes: layers over people's folders, what changed in them, and how it lands."""
