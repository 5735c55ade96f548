// Stands for net-istio's cmd/webhook, which the Go module proxy refuses: Knative's own webhook machinery with the two duties that
// upstream gives it: refusing a broken config-istio, and putting Istio's canonical names on the Deployments of revisions.
package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/certificates"
	"knative.dev/pkg/webhook/configmaps"
	"knative.dev/pkg/webhook/resourcesemantics"
	"knative.dev/pkg/webhook/resourcesemantics/defaulting"

	"sealift.invalid/testbed/net-istio/gateways"
)

const (
	name       = "net-istio-webhook"
	validation = "config.webhook.istio.networking.internal.knative.dev"
	defaults   = "webhook.istio.networking.internal.knative.dev"
)

func main() {
	ctx := webhook.WithOptions(signals.NewContext(), webhook.Options{
		ServiceName: name,
		SecretName:  name + "-certs",
		Port:        webhook.PortFromEnv(8443),
	})
	// The webhook's own port answers the probes.
	ctx = sharedmain.WithHealthProbesDisabled(ctx)
	sharedmain.WebhookMainWithContext(ctx, name, certificates.NewController, newDefaulting, newValidation)
}

func newValidation(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	return configmaps.NewAdmissionController(ctx, validation, "/config-validation",
		configmap.Constructors{gateways.ConfigMap: gateways.Parse})
}

func newDefaulting(ctx context.Context, _ configmap.Watcher) *controller.Impl {
	types := map[schema.GroupVersionKind]resourcesemantics.GenericCRD{
		appsv1.SchemeGroupVersion.WithKind("Deployment"): &revisionDeployment{},
	}
	unchanged := func(ctx context.Context) context.Context { return ctx }
	// Unknown fields are let through: the cluster's Deployment may be newer than the one compiled in here.
	return defaulting.NewAdmissionController(ctx, defaults, "/defaulting", types, unchanged, false)
}
