"""Cards of Video Swin."""
CARDS = ()
