"""One machine as an air-gapped site: where a bundle and a stack are brought up with egress denied before they ship."""
