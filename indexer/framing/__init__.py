"""How bodies are framed, whoever reads them: multipart, media types, text of XML; no I/O."""
