"""The command ``sealift``, assembled from the sub-commands that each room brings."""
