"""The image agents run in: its Dockerfile, what is pinned, and the program that starts an agent inside."""
