"""Cards of ViViT."""
CARDS = ()
