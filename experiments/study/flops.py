"""FLOPs of a model, from its shape: 2 for each product and sum of matrices."""

from equalinfo.lm.config import ModelConfig


def forward(model: ModelConfig, length: int) -> float:
    """Of one token, on average over the places of an example: all products of matrices.

    The paper counts 2 * parameters [paper 3.8]: no logits and no products of attention, which in
    small models are most of the work. Attention counts what a token sees, half of the square.

    Args:
      model: the shape.
      length: L, tokens of an example.
    """
    inner = model.num_heads * model.head_dim
    weights = 4 * model.embed_dim * inner
    weights += (len(model.mlp_activations) + 1) * model.embed_dim * model.mlp_dim
    seen = (length + 1) / 2
    layer = 2 * weights + 2 * 2 * seen * inner
    return model.num_layers * layer + 2 * model.embed_dim * model.vocab_size


def training(model: ModelConfig, length: int, tokens: float) -> float:
    """Of a run over so many tokens: forward, and twice as much backward."""
    return 3 * forward(model, length) * tokens


def per_byte(
    model: ModelConfig, length: int, bytes_per_token: float, m1_parameters: int = 0
) -> float:
    """Of inference, per byte of text; M1 runs on every byte, where it runs."""
    return forward(model, length) / bytes_per_token + 2 * m1_parameters


def with_embeddings(model: ModelConfig) -> int:
    """All parameters: embedding and logits are two matrices."""
    return model.num_parameters + 2 * model.vocab_size * model.embed_dim
