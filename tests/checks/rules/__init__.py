"""Rules of design, one file a theme beside those that hold for all of them."""
