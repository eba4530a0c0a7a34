"""Kit: folders and archives by which exams and pointers come and go without a network."""
