"""Step 4: an authorised viewer asks for images, and the nearest source that holds them answers."""
