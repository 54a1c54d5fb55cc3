"""Training: one loop, its objectives, its checkpoints, on one process or several. Needs the extra `train` (torch).

`plan` imports nothing heavy; every other module imports torch, so import it where it is used.
"""
