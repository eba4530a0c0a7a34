"""What a patient's record lets whom do: decisions, and the permissions that they lean on."""
