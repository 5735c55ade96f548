// Package ingress stands for net-istio's reconciler (the module proxy refuses net-istio), on Knative's generated one.
package ingress

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	ingressinformer "knative.dev/networking/pkg/client/injection/informers/networking/v1alpha1/ingress"
	ingressreconciler "knative.dev/networking/pkg/client/injection/reconciler/networking/v1alpha1/ingress"
	network "knative.dev/networking/pkg/config"
	"knative.dev/networking/pkg/status"
	"knative.dev/pkg/client/injection/kube/informers/core/v1/endpoints"
	"knative.dev/pkg/client/injection/kube/informers/core/v1/pod"
	"knative.dev/pkg/client/injection/kube/informers/core/v1/service"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/logging"
	pkgreconciler "knative.dev/pkg/reconciler"

	"sealift.invalid/testbed/net-istio/clients"
	"sealift.invalid/testbed/net-istio/gateways"
)

// NewController reconciles the Ingresses of Istio's class when they, their VirtualServices or config-istio change, and when
// the gateways' pods have been seen to serve them.
func NewController(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
	logger := logging.FromContext(ctx)
	ingresses := ingressinformer.Get(ctx).Informer()
	virtualServices := clients.VirtualServices(ctx)
	r := &reconciler{istio: clients.Istio(ctx), virtualServices: virtualServices.Lister()}
	ofClass := pkgreconciler.AnnotationFilterFunc(networking.IngressClassAnnotationKey, network.IstioIngressClassName, false)

	impl := ingressreconciler.NewImpl(ctx, r, network.IstioIngressClassName, func(impl *controller.Impl) controller.Options {
		resync := func(string, any) { impl.FilteredGlobalResync(ofClass, ingresses) }
		store := &configStore{configmap.NewUntypedStore("net-istio", logger,
			configmap.Constructors{gateways.ConfigMap: gateways.Parse}, resync)}
		store.WatchConfigs(watcher)
		return controller.Options{ConfigStore: store, PromoteFilterFunc: ofClass}
	})

	prober := status.NewProber(logger.Named("prober"),
		&probeTargets{clients.Gateways(ctx).Lister(), service.Get(ctx).Lister(), endpoints.Get(ctx).Lister()},
		func(ing *v1alpha1.Ingress) {
			impl.EnqueueKey(types.NamespacedName{Namespace: ing.Namespace, Name: ing.Name})
		})
	r.prober = prober
	prober.Start(ctx.Done())

	handle := func(informer cache.SharedIndexInformer, filter func(any) bool, handler cache.ResourceEventHandler) {
		if _, err := informer.AddEventHandler(cache.FilteringResourceEventHandler{FilterFunc: filter, Handler: handler}); err != nil {
			logger.Fatalw("a stopped informer cannot be watched", "error", err)
		}
	}
	everything := func(any) bool { return true }
	handle(ingresses, ofClass, controller.HandleAll(impl.Enqueue))
	handle(ingresses, ofClass, cache.ResourceEventHandlerFuncs{DeleteFunc: prober.CancelIngressProbing})
	handle(virtualServices.Informer(), controller.FilterController(&v1alpha1.Ingress{}), controller.HandleAll(impl.EnqueueControllerOf))
	handle(pod.Get(ctx).Informer(), everything, cache.ResourceEventHandlerFuncs{DeleteFunc: prober.CancelPodProbing})
	return impl
}

// configStore puts the gateways of config-istio into the context of each reconcile.
type configStore struct{ *configmap.UntypedStore }

type gatewaysKey struct{}

// ToContext is what the generated reconciler calls.
func (s *configStore) ToContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, gatewaysKey{}, s.UntypedLoad(gateways.ConfigMap))
}

// gatewaysFor gives the configured gateways of one Ingress.
func gatewaysFor(ctx context.Context, ing *v1alpha1.Ingress) gateways.Gateways {
	return ctx.Value(gatewaysKey{}).(*gateways.Gateways).For(ing.Labels)
}
