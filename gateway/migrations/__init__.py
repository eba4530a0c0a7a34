"""The gateway's schema, as numbered steps that are never changed once released."""
