"""A listener without a model, for tests of what is heard."""


class Perfect:
    """Who understands what it is told beforehand."""

    jit_generate = False

    def __init__(self, *answers):
        self.answers = list(answers)

    def transcribe(self, sounds):
        answers = self.answers.pop(0)
        assert len(answers) == len(sounds)
        return answers
