// Part of the stand-in for net-istio's cmd/webhook (see main.go): the default labels of a revision's Deployment.

package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/pkg/apis"
)

const (
	canonicalName     = "service.istio.io/canonical-name"
	canonicalRevision = "service.istio.io/canonical-revision"
)

// revisionDeployment is the Deployment of a Knative revision as the webhook sees it.
type revisionDeployment struct {
	appsv1.Deployment `json:",inline"`
}

// SetDefaults names service and revision to Istio's telemetry as Knative names them.
func (d *revisionDeployment) SetDefaults(context.Context) {
	service := d.Labels["serving.knative.dev/service"]
	if service == "" {
		service = d.Labels["serving.knative.dev/configuration"]
	}
	d.label(canonicalName, service)
	d.label(canonicalRevision, d.Labels["serving.knative.dev/revision"])
}

func (d *revisionDeployment) label(key, value string) {
	if value == "" {
		return
	}
	d.Labels[key] = value
	if d.Spec.Template.Labels == nil {
		d.Spec.Template.Labels = map[string]string{}
	}
	d.Spec.Template.Labels[key] = value
}

// Validate has nothing to refuse.
func (d *revisionDeployment) Validate(context.Context) *apis.FieldError { return nil }

// DeepCopyObject is what a runtime.Object needs.
func (d *revisionDeployment) DeepCopyObject() runtime.Object {
	return &revisionDeployment{Deployment: *d.Deployment.DeepCopy()}
}
