"""The world around a gateway: imaging centres, viewers, and one command that runs them all.

They speak on the wire only and import neither gateway nor index, so that they judge both.
"""
