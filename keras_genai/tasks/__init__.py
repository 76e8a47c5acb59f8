"""What is trained: each task is a keras.Model."""
