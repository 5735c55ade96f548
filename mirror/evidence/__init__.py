"""What upstream says about its images: signatures, attestations and SBOMs; found, judged and carried."""
