"""What Keras must run on, said before anything of it is used."""

CURE = "set KERAS_BACKEND=tensorflow, or `backend` in ~/.keras/keras.json"


def check_backend():
    """Raises unless Keras runs on TensorFlow.

    Raises:
        ImportError: if Keras has another backend, or cannot be imported with it.
    """
    try:
        import keras
    except ImportError as error:
        raise ImportError(
            f"keras_genai needs Keras with the tensorflow backend: {CURE}. "
            f"Received: {error}"
        ) from error
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"keras_genai needs the tensorflow backend of Keras: {CURE}. "
            f"Received: {backend=}"
        )
