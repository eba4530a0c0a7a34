"""The contract of an index of pointers, the clients that speak it, and a mock of the DMP."""
