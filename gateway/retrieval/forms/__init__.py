"""The forms in which an instance leaves: another transfer syntax or encoding, another name."""
