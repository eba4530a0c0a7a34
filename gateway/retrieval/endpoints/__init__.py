"""What DICOMweb answers: each address is a plain ASGI application behind the policy."""
