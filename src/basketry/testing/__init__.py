"""The laws every engine, encoder and store must keep, shipped so that the author of a plug-in can run them."""
