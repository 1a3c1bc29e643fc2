"""The model gateway: forwards what agents send to their models, byte for byte, and attaches the person's key here."""
