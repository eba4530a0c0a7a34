"""How fast the gateway takes images in, describes them and gives them out."""
