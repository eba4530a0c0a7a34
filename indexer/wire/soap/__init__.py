"""SOAP 1.2 messages, and MTOM packages around them."""
