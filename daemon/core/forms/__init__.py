"""Forms that a tool's server makes and a person fills in: read, checked, and never trusted. Pure."""
