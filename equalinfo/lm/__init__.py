"""The byte LM (M1) and the token LM (M2): one decoder-only Transformer and a local trainer."""
