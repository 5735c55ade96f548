"""The rehearsal: bundle -> registry -> pulumi up -> smoke tests on one machine with egress denied."""
