"""The journal of a record: who did what on it, when and why, so that no line can vanish unseen."""
