// Part of the stand-in for net-istio's reconciler (see controller.go): from one Ingress to its VirtualServices and its status.

package ingress

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	"istio.io/client-go/pkg/clientset/versioned"
	listers "istio.io/client-go/pkg/listers/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/networking/pkg/status"
	"knative.dev/pkg/controller"
	pkgreconciler "knative.dev/pkg/reconciler"

	"sealift.invalid/testbed/net-istio/gateways"
	"sealift.invalid/testbed/net-istio/routing"
)

type reconciler struct {
	istio           versioned.Interface
	virtualServices listers.VirtualServiceLister
	prober          status.Manager
}

// ReconcileKind makes the VirtualServices, waits until the gateways' pods serve them and says so in the status. They belong
// to the Ingress, so that deleting it deletes them.
func (r *reconciler) ReconcileKind(ctx context.Context, ing *v1alpha1.Ingress) pkgreconciler.Event {
	wasReady := ing.IsReady()
	ing.SetDefaults(ctx)
	ing.Status.InitializeConditions()
	if len(ing.Spec.TLS) > 0 {
		ing.Status.MarkLoadBalancerFailed("TLSNotSupported", "This stand-in makes no Gateway for spec.tls; end TLS at the shared Gateway.")
		return nil
	}
	chosen := gatewaysFor(ctx, ing)
	// A request with the probe's header is answered with the hash of the Ingress, so that a pod tells which version it serves.
	probed := ing.DeepCopy()
	if _, err := ingress.InsertProbe(probed); err != nil {
		return fmt.Errorf("failed to add the probe: %w", err)
	}
	if err := r.apply(ctx, ing, routing.VirtualServices(probed, chosen.Names())); err != nil {
		ing.Status.MarkLoadBalancerFailed("VirtualServiceNotReconciled", err.Error())
		return err
	}
	ing.Status.MarkNetworkConfigured()
	// The pods are asked again only when the Ingress has changed: a gateway's pod that is gone must not make it unready.
	ready := wasReady
	if !ready {
		var err error
		if ready, err = r.prober.IsReady(ctx, ing); err != nil {
			return fmt.Errorf("failed to probe Ingress %s: %w", ing.Name, err)
		}
	}
	if ready {
		ing.Status.MarkLoadBalancerReady(addresses(chosen.External), addresses(chosen.Local))
	} else {
		ing.Status.MarkLoadBalancerNotReady()
	}
	return nil
}

// addresses tells Knative where the gateways can be reached, or that only sidecars route.
func addresses(chosen []gateways.Gateway) []v1alpha1.LoadBalancerIngressStatus {
	if len(chosen) == 0 {
		return []v1alpha1.LoadBalancerIngressStatus{{MeshOnly: true}}
	}
	return []v1alpha1.LoadBalancerIngressStatus{{DomainInternal: chosen[0].Service}}
}

// apply makes the cluster's VirtualServices of the Ingress equal to desired.
func (r *reconciler) apply(ctx context.Context, ing *v1alpha1.Ingress, desired []*v1beta1.VirtualService) error {
	wanted := sets.New[string]()
	for _, virtualService := range desired {
		wanted.Insert(virtualService.Name)
		if err := r.applyOne(ctx, ing, virtualService); err != nil {
			return err
		}
	}
	mine := labels.SelectorFromSet(labels.Set{networking.IngressLabelKey: ing.Name})
	found, err := r.virtualServices.VirtualServices(ing.Namespace).List(mine)
	if err != nil {
		return fmt.Errorf("failed to list VirtualServices: %w", err)
	}
	for _, existing := range found {
		if wanted.Has(existing.Name) || !metav1.IsControlledBy(existing, ing) {
			continue
		}
		err := r.istio.NetworkingV1beta1().VirtualServices(existing.Namespace).Delete(ctx, existing.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("failed to delete VirtualService: %w", err)
		}
	}
	return nil
}

func (r *reconciler) applyOne(ctx context.Context, ing *v1alpha1.Ingress, desired *v1beta1.VirtualService) error {
	client := r.istio.NetworkingV1beta1().VirtualServices(desired.Namespace)
	existing, err := r.virtualServices.VirtualServices(desired.Namespace).Get(desired.Name)
	if apierrors.IsNotFound(err) {
		if _, err := client.Create(ctx, desired, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("failed to create VirtualService: %w", err)
		}
		controller.GetEventRecorder(ctx).Eventf(ing, corev1.EventTypeNormal, "Created", "Created VirtualService %q", desired.Name)
		return nil
	}
	if err != nil {
		return err
	}
	if !metav1.IsControlledBy(existing, ing) {
		ing.Status.MarkResourceNotOwned("VirtualService", desired.Name)
		return fmt.Errorf("VirtualService %q is not owned by Ingress %q", desired.Name, ing.Name)
	}
	if proto.Equal(&existing.Spec, &desired.Spec) && equality.Semantic.DeepEqual(existing.Labels, desired.Labels) {
		return nil
	}
	changed := existing.DeepCopy()
	desired.Spec.DeepCopyInto(&changed.Spec)
	changed.Labels = desired.Labels
	if _, err := client.Update(ctx, changed, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("failed to update VirtualService: %w", err)
	}
	controller.GetEventRecorder(ctx).Eventf(ing, corev1.EventTypeNormal, "Updated", "Updated VirtualService %q", desired.Name)
	return nil
}
