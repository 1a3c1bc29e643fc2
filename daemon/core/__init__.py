"""Pure values and rules. No I/O, no clock, no globals; imports nothing of ours but itself."""
