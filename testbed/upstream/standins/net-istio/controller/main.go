// Stands for net-istio's cmd/controller, which the Go module proxy refuses: it makes Istio VirtualServices of Knative Ingresses.
//
// Knative's own machinery does the work around the mapping: shared main, generated reconciler with finalizer and leader
// election, and the prober of the gateways' pods. Not here: a Gateway for each Ingress (spec.tls), the HTTP redirect that goes
// with it, and the rules for the option enable-mesh-pod-addressability.
package main

import (
	"knative.dev/pkg/injection/sharedmain"

	"sealift.invalid/testbed/net-istio/ingress"
)

func main() {
	sharedmain.Main("net-istio-controller", ingress.NewController)
}
