"""How a text is cut into tokens, for people: what `equalinfo show` draws.

panel          the tokens of a text, with ids, bits and a summary: of a Tokenizer
sentencepiece  the same, of a SentencePiece model
glyphs         bytes as characters that any screen can show
layout         tokens in rows of a given width
colors         of tokens
terminal, page, image   panels as ANSI text; as HTML; as PNG, SVG or PDF
"""
