"""Who asks: what they show is looked at here, before what they ask for is."""
