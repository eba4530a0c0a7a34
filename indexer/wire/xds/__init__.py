"""ebRIM and the messages of XDS.b that carry it."""
