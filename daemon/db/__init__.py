"""Table definitions, the engine, running the migrations, reading off the loop."""
