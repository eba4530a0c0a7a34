"""What an index and its clients put on the wire: pure functions, no I/O, no clock."""
