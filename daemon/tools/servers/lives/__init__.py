"""When a server is started and stopped, who shares it, and what is said while it cannot be had."""
