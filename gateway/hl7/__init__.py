"""HL7 version 2 on the wire: frames, messages and their acknowledgements."""
