"""Where the instances of a study come from: the nearest place that holds all that is asked for."""
