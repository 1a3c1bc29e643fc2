"""Taking secrets out of text, however they are spelled there."""
