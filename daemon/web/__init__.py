"""Server-rendered pages over the same services as the control API."""
