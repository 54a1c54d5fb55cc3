"""The default encoder's network, as data (`state.py`), on numpy (`network.py`, `encoder.py`) and in torch (`torch_network.py`)."""
