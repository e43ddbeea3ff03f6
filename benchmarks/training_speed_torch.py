"""PyTorch's side of `benchmarks.training_speed`; runs where PyTorch is, without this package.

Argument 1: a JSON object with `heads`, `layers`, `head_dim`, `z_loss`, `threads`, `compiled` and
`file`, an .npz of the parameters (names joined by "/"), `inputs` and `targets`, int32[B, L].
Answers the loss before training in nats/token, then, to each line of its standard input, the
seconds of a step, for so many seconds as the line says.
"""

import json
import sys
import time
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found, unused-ignore]


class Model(torch.nn.Module):
    """The architecture of `equalinfo.lm.model`, as one writes it in PyTorch."""

    def __init__(
        self, params: dict[str, torch.Tensor], buckets: torch.Tensor, job: dict[str, Any]
    ) -> None:
        super().__init__()
        self.names = {name: name.replace("/", ":") for name in params}
        self.params = torch.nn.ParameterDict(
            {self.names[name]: torch.nn.Parameter(x) for name, x in params.items()}
        )
        self.job = job
        length = len(buckets)
        distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        self.register_buffer("buckets", buckets[distance.clamp(min=0)])
        self.register_buffer("hidden", distance < 0)

    def get(self, name: str) -> torch.Tensor:
        """A parameter."""
        return self.params[self.names[f"decoder/{name}"]]

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """RMSNorm."""
        return F.rms_norm(x, x.shape[-1:], self.get(f"{name}/scale"), 1e-6)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Means of nats and of log(Z)^2, float32[2]; int64[B, L] each."""
        batch, length = inputs.shape
        x = self.get("token_embedder")[inputs]
        for i in range(self.job["layers"]):
            layer = f"layers_{i}"
            y = self.norm(x, f"{layer}/pre_self_attention_layer_norm")
            shape = (batch, length, self.job["heads"], self.job["head_dim"])
            query, key, value = (
                (y @ self.get(f"{layer}/self_attention/{name}/kernel")).view(shape).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            bias = self.get(f"{layer}/self_attention/relpos_bias/rel_embedding")[:, self.buckets]
            bias = bias.masked_fill(self.hidden, -1e10)[None]
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)
            y = y.transpose(1, 2).reshape(batch, length, -1)
            x = x + y @ self.get(f"{layer}/self_attention/out/kernel")
            y = self.norm(x, f"{layer}/pre_mlp_layer_norm")
            gate = F.relu(y @ self.get(f"{layer}/mlp/wi_0/kernel"))
            hidden = gate * (y @ self.get(f"{layer}/mlp/wi_1/kernel"))
            x = x + hidden @ self.get(f"{layer}/mlp/wo/kernel")
        logits = self.norm(x, "decoder_norm") @ self.get("logits_dense/kernel")
        log_z = torch.logsumexp(logits, -1)
        right = logits.gather(-1, targets[..., None])[..., 0]
        return torch.stack([(log_z - right).mean(), log_z.square().mean()])


def main() -> None:
    """See the module."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    with np.load(job["file"]) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    inputs, targets = (arrays.pop(name).long() for name in ("inputs", "targets"))
    buckets = arrays.pop("buckets").long()
    model = Model(arrays, buckets, job)
    optimizer = torch.optim.Adafactor(model.parameters(), lr=1e-3)
    loss_of = torch.compile(model) if job["compiled"] else model

    def step() -> float:
        optimizer.zero_grad()
        nats, squares = loss_of(inputs, targets)
        (nats + job["z_loss"] * squares).backward()
        optimizer.step()
        return float(nats.detach())

    print(json.dumps({"loss": step(), "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        seconds: list[float] = []
        end = time.monotonic() + float(line)
        while not seconds or time.monotonic() < end:
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
