"""Plan `unigram`: train a set of texts on a corpus, without an M1."""

from equalinfo.codebook.unigram.training import Trained, train_sizes

__all__ = ["Trained", "train_sizes"]
