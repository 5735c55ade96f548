package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func labelled(labels map[string]string) *revisionDeployment {
	return &revisionDeployment{appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: labels}}}
}

func TestARevisionsDeploymentGetsIstiosCanonicalNames(t *testing.T) {
	d := labelled(map[string]string{
		"serving.knative.dev/service": "chat", "serving.knative.dev/configuration": "chat-config", "serving.knative.dev/revision": "chat-00001",
	})
	d.SetDefaults(t.Context())
	want := map[string]string{canonicalName: "chat", canonicalRevision: "chat-00001"}
	if diff := cmp.Diff(want, d.Spec.Template.Labels); diff != "" {
		t.Error("(-want +got):", diff)
	}
	if d.Labels[canonicalName] != "chat" {
		t.Errorf("the Deployment itself has %v", d.Labels)
	}
}

func TestWithoutAServiceTheConfigurationNamesTheDeployment(t *testing.T) {
	d := labelled(map[string]string{"serving.knative.dev/configuration": "chat-config"})
	d.SetDefaults(t.Context())
	if got := d.Labels[canonicalName]; got != "chat-config" {
		t.Errorf("got %q", got)
	}
}

func TestAnotherDeploymentIsLeftAlone(t *testing.T) {
	d := labelled(nil)
	d.SetDefaults(t.Context())
	if len(d.Labels)+len(d.Spec.Template.Labels) > 0 {
		t.Errorf("labels were added: %v", d)
	}
}
