"""What an attacker inside the cluster would try, as data: each attempt with who must refuse it and its control."""
