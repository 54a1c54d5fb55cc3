"""The default encoder's network: on numpy to serve (`network`, `encoder`), in torch to train (`torch_network`)."""
