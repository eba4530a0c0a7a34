"""Work that would hold up the loop, or that hostile bytes could crash, in processes of its own."""
