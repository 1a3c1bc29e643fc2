"""What a tool asks back while it runs and its agent cannot answer: put to the person, who alone answers it."""
