"""What to show this customer, here and now, and why: rankers over histories, their blend, their limits and their reasons."""
