"""Histories of products to vectors: bodies that read what a customer did, and the matrix of products they are compared with."""
