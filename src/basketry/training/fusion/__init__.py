"""Text, image and behaviour of a product made one vector: foretelling what is missing, late weights, gates, alignment."""
