"""What samples are: the one place that knows text from pictures and sounds."""
