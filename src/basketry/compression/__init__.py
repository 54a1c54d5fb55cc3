"""Compression: recipes that make an encoder smaller and faster, state to state, and the measurement of what that costs.

A recipe is data: `Recipe.parse("layers:4+distil:epochs=2+int8")`. Steps that train hand over to `basketry.training`.
"""
