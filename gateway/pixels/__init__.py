"""Pixels: the transfer syntaxes that hold them, how they are decoded, and how encoded anew."""
