"""Images in, unit vectors out: files are decoded in a child process with limits, networks run by ONNX Runtime."""
