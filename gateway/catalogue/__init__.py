"""The studies that this gateway knows, and where their instances can be had."""
