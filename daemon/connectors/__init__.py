"""Content-addressed store, install pipeline, signatures and keyring, WebAssembly runtime, mediated HTTP."""
