"""What the daemon and the command line both say of files that may run later on the host."""

EXECUTABLE = "it may be executed, which it could not before"
