"""One daemon for a home: lock, discovery file, spawn, stop, listeners."""
