"""Trained models at work: conversations."""

from keras_genai.serving.chat import Chat

__all__ = ["Chat"]
