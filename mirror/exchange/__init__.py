"""To and from what other tools read: Hauler's manifests, Zarf's packages, oc-mirror's image sets, plain image lists."""
