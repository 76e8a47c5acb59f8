"""What PyTorch and transformers do in several benchmarks."""


def greedy(model, prompts, steps):
    """A round of transformers' greedy decoding, which has run once.

    Args:
        model: of transformers, with `generate`.
        prompts: int array `(batch, prompt)`.
        steps: int, tokens that each row gains, whatever they are.

    Returns:
        function without arguments that returns a dict of `tokens`, lists of int.
    """
    import torch

    tokens = torch.from_numpy(prompts).long()

    def run():
        with torch.inference_mode():
            written = model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=steps,
                min_new_tokens=steps,
                do_sample=False,
                pad_token_id=0,
            )
        return {"tokens": written[:, prompts.shape[1] :].tolist()}

    run()
    return run


def adamw(model, rate, decay, **options):
    """PyTorch's AdamW, which lets matrices decay and nothing else.

    Args:
        model: `torch.nn.Module`.
        rate, decay: float.
        options: of `torch.optim.AdamW`.
    """
    import torch

    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": decayed, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, **options)
