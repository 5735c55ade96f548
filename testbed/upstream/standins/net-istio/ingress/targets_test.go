package ingress

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	istio "istio.io/api/networking/v1beta1"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	listers "istio.io/client-go/pkg/listers/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"

	"sealift.invalid/testbed/net-istio/gateways"
)

func indexed(t *testing.T, objects ...any) cache.Indexer {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, object := range objects {
		if err := indexer.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	return indexer
}

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func server(number uint32, protocol, host string, tls *istio.ServerTLSSettings) *istio.Server {
	return &istio.Server{Port: &istio.Port{Number: number, Protocol: protocol}, Hosts: []string{host}, Tls: tls}
}

// probed gives "pod ip:port url" of what would be asked for an Ingress with one outside and one inside host.
func probed(t *testing.T, external, local *istio.Server) []string {
	t.Helper()
	spec := func(server *istio.Server) istio.Gateway { return istio.Gateway{Servers: []*istio.Server{server}} }
	outer := &v1beta1.Gateway{ObjectMeta: named("knative-serving", "outer"), Spec: spec(external)}
	inner := &v1beta1.Gateway{ObjectMeta: named("knative-serving", "inner"), Spec: spec(local)}
	subset := func(name string, port int32) []corev1.EndpointSubset {
		return []corev1.EndpointSubset{{
			Addresses: []corev1.EndpointAddress{{IP: "10.244.0.9"}}, Ports: []corev1.EndpointPort{{Name: name, Port: port}},
		}}
	}
	targets := &probeTargets{
		listers.NewGatewayLister(indexed(t, outer, inner)),
		corelisters.NewServiceLister(indexed(t,
			&corev1.Service{ObjectMeta: named("istio-system", "edge"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
				{Name: "https", Port: 443, TargetPort: intstr.FromInt32(8443)}, {Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}}},
			&corev1.Service{ObjectMeta: named("istio-system", "local"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
				{Name: "http2", Port: 80, TargetPort: intstr.FromInt32(8081)}}}})),
		corelisters.NewEndpointsLister(indexed(t,
			&corev1.Endpoints{ObjectMeta: named("istio-system", "edge"), Subsets: append(subset("https", 8443), subset("http", 8080)...)},
			&corev1.Endpoints{ObjectMeta: named("istio-system", "local"), Subsets: subset("http2", 8081)})),
	}
	configured := &gateways.Gateways{
		External: []gateways.Gateway{{Name: "outer", Namespace: "knative-serving", Service: "edge.istio-system.svc.cluster.local"}},
		Local:    []gateways.Gateway{{Name: "inner", Namespace: "knative-serving", Service: "local.istio-system.svc.cluster.local"}},
	}
	ing := &v1alpha1.Ingress{Spec: v1alpha1.IngressSpec{Rules: []v1alpha1.IngressRule{
		{Hosts: []string{"chat.serverless.example.com"}, Visibility: v1alpha1.IngressVisibilityExternalIP},
		{Hosts: []string{"chat.models.svc.cluster.local"}, Visibility: v1alpha1.IngressVisibilityClusterLocal},
	}}}
	found, err := targets.ListProbeTargets(context.WithValue(t.Context(), gatewaysKey{}, configured), ing)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, target := range found {
		for ip := range target.PodIPs {
			for _, one := range target.URLs {
				all = append(all, ip+":"+target.PodPort+" "+one.String())
			}
		}
	}
	return all
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

var inside = []string{
	"10.244.0.9:8081 http://chat.models:8081",
	"10.244.0.9:8081 http://chat.models.svc:8081",
	"10.244.0.9:8081 http://chat.models.svc.cluster.local:8081",
}

func TestPodsAreAskedAtTheirOwnPortsForTheHostsOfEachVisibility(t *testing.T) {
	got := probed(t, server(443, "HTTPS", "*.serverless.example.com", nil), server(8081, "HTTP", "*", nil))
	same(t, got, append([]string{"10.244.0.9:8443 https://chat.serverless.example.com:443"}, inside...))
}

func TestAServerThatAProbeCannotTellAnythingAboutIsLeftOut(t *testing.T) {
	for name, external := range map[string]*istio.Server{
		"redirect":         server(80, "HTTP", "*", &istio.ServerTLSSettings{HttpsRedirect: true}),
		"mutual TLS":       server(443, "HTTPS", "*", &istio.ServerTLSSettings{Mode: istio.ServerTLSSettings_MUTUAL}),
		"other hosts":      server(80, "HTTP", "*.example.org", nil),
		"unknown port":     server(8999, "HTTP", "*", nil),
		"another protocol": server(443, "TLS", "*", nil),
	} {
		t.Run(name, func(t *testing.T) { same(t, probed(t, external, server(8081, "HTTP", "*", nil)), inside) })
	}
}

func TestAGatewayThatDoesNotExistIsAnError(t *testing.T) {
	targets := &probeTargets{gateways: listers.NewGatewayLister(indexed(t))}
	configured := &gateways.Gateways{External: []gateways.Gateway{{Name: "gone", Namespace: "x", Service: "a.b"}}}
	ing := &v1alpha1.Ingress{Spec: v1alpha1.IngressSpec{Rules: []v1alpha1.IngressRule{
		{Hosts: []string{"chat.example.com"}, Visibility: v1alpha1.IngressVisibilityExternalIP}}}}
	if _, err := targets.ListProbeTargets(context.WithValue(t.Context(), gatewaysKey{}, configured), ing); err == nil {
		t.Error("no error")
	}
}

func TestAHostIsServedAsIstioComparesIt(t *testing.T) {
	for pattern, want := range map[string]bool{
		"*": true, "*.example.com": true, "ns/*.example.com": true, "chat.example.com": true, "*.com": true,
		"example.com": false, "*.example.org": false, "ns/other.example.com": false,
	} {
		if got := serves(&istio.Server{Hosts: []string{pattern}}, "chat.example.com"); got != want {
			t.Errorf("%s: %t, want %t", pattern, got, want)
		}
	}
}
