"""The durable state machine of a person's decision, its digests and previews."""
