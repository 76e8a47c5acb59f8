"""Writes logits and labels, and what torch.nn.CTCLoss says of them.

Run: python tests/parity/make_ctc.py   (needs torch)

torch computes in float64, because its float32 keeps fewer digits than are compared.
"""

import json
import pathlib

import numpy as np
import torch

FILE = pathlib.Path(__file__).parent / "files" / "ctc.json"


def main():
    draws = np.random.default_rng(0)
    logits = draws.normal(0, 2, (5, 14, 6)).round(4)
    labels = np.array(
        [[1, 2, 3, 4, 5], [3, 3, 3, 0, 0], [5, 0, 0, 0, 0], [0] * 5, [2, 2, 1, 1, 4]]
    )
    frames, lengths = np.array([14, 9, 3, 6, 7]), np.array([5, 3, 1, 0, 5])
    given = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.CTCLoss(reduction="none")(
        given.log_softmax(-1).transpose(0, 1),
        *(torch.tensor(each) for each in (labels, frames, lengths)),
    )
    loss.sum().backward()
    arrays = dict(
        logits=logits,
        labels=labels,
        frames=frames,
        lengths=lengths,
        loss=loss.detach().numpy().round(9),
        gradient=given.grad.numpy().round(9),
    )
    text = json.dumps({name: array.tolist() for name, array in arrays.items()})
    FILE.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
