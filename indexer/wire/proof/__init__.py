"""What proves who asks and who submits: the VIHF and the signature of a submission."""
