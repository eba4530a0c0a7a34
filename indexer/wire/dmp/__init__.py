"""The DMP's own messages: is there a record, and who may open it."""
