"""What an agent changed, found by comparing three sides, and which of it would run later. Nothing is written here."""
