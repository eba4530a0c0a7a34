"""Words that the gateway and the index share; standard library only, no I/O."""
