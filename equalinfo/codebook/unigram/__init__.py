"""Plan `unigram`: train a set of texts on a corpus, without an M1."""

from equalinfo.codebook.unigram.training import train_on_documents

__all__ = ["train_on_documents"]
