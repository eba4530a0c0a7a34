"""A mock of the DMP: it takes submissions, finds entries and gives documents back."""
