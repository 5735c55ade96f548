// Package clients stands for net-istio's generated clients (the module proxy refuses net-istio): it hands Istio's own client
// and informers to Knative's injection, so that the shared main starts them.
package clients

import (
	"context"

	"istio.io/client-go/pkg/clientset/versioned"
	"istio.io/client-go/pkg/informers/externalversions"
	informers "istio.io/client-go/pkg/informers/externalversions/networking/v1beta1"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
)

type (
	clientKey  struct{}
	factoryKey struct{}
)

func init() {
	injection.Default.RegisterClient(func(ctx context.Context, config *rest.Config) context.Context {
		return context.WithValue(ctx, clientKey{}, versioned.NewForConfigOrDie(config))
	})
	injection.Default.RegisterInformerFactory(func(ctx context.Context) context.Context {
		factory := externalversions.NewSharedInformerFactory(Istio(ctx), controller.GetResyncPeriod(ctx))
		return context.WithValue(ctx, factoryKey{}, factory)
	})
	injection.Default.RegisterInformer(func(ctx context.Context) (context.Context, controller.Informer) {
		return ctx, VirtualServices(ctx).Informer()
	})
	injection.Default.RegisterInformer(func(ctx context.Context) (context.Context, controller.Informer) {
		return ctx, Gateways(ctx).Informer()
	})
}

// Istio gives the client that injection has put into ctx.
func Istio(ctx context.Context) versioned.Interface {
	return ctx.Value(clientKey{}).(versioned.Interface)
}

// VirtualServices gives the shared informer of VirtualServices.
func VirtualServices(ctx context.Context) informers.VirtualServiceInformer {
	return factory(ctx).Networking().V1beta1().VirtualServices()
}

// Gateways gives the shared informer of Gateways.
func Gateways(ctx context.Context) informers.GatewayInformer {
	return factory(ctx).Networking().V1beta1().Gateways()
}

func factory(ctx context.Context) externalversions.SharedInformerFactory {
	return ctx.Value(factoryKey{}).(externalversions.SharedInformerFactory)
}
