"""Those who look for a patient's images, and know the patient alone."""
