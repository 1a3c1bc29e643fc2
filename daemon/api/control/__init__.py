"""The control API: everything a person may do, one module for each thing it is done to."""
