"""Lock, discovery file, spawn, stop, listeners, platform differences."""
