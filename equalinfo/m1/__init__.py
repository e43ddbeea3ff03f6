"""Byte models that codes ask for integer frequencies: frozen networks, counts, static ones."""
