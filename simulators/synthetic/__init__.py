"""Valid studies of people who cannot be real, from a seed."""
