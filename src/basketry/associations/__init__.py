"""The association graph: counted, tested, meant, fused, judged and put into words."""
