"""Stand-in for pulumi-resource-kubernetes, which no package registry carries: Kubernetes objects as resources."""
