"""The one path: policy, approval, durable start, run, durable end, for tools of every kind; it knows no kind."""
