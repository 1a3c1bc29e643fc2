"""What every room stands on: clock, tasks, home, settings, logging, faults."""
