"""Making an encoder the shop's own: from texts known to go together to a better EncoderState, judged on products kept out."""
