"""Codes: integer frequencies to bits and back, window by window or text by text."""
