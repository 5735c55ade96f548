"""Sealift's mirror beside its peers: the same images and model, made, loaded, changed, as multiples of the limit."""
