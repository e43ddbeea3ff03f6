"""How good tokens are, before any M2 is trained on them: `equalinfo evaluate`.

vocabularies  tokenizers of any kind behind one interface: ours, SentencePiece, Hugging Face
token_scores  bytes/token, entropy and n-gram bits/byte of one on a text
ngram         interpolated Kneser-Ney models of tokens
"""
