// Part of the stand-in for net-istio's reconciler (see controller.go): which pods tell whether an Ingress is served.

package ingress

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	istio "istio.io/api/networking/v1beta1"
	listers "istio.io/client-go/pkg/listers/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	corelisters "k8s.io/client-go/listers/core/v1"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/networking/pkg/k8s"
	"knative.dev/networking/pkg/status"

	"sealift.invalid/testbed/net-istio/gateways"
)

// probeTargets finds the pods behind the gateways, for Knative's prober.
type probeTargets struct {
	gateways  listers.GatewayLister
	services  corelisters.ServiceLister
	endpoints corelisters.EndpointsLister
}

// ListProbeTargets gives, for each server of each gateway that serves the Ingress, the ready pods and the URLs to ask.
func (t *probeTargets) ListProbeTargets(ctx context.Context, ing *v1alpha1.Ingress) ([]status.ProbeTarget, error) {
	chosen := gatewaysFor(ctx, ing)
	hosts := ingress.HostsPerVisibility(ing, chosen.Names())
	var targets []status.ProbeTarget
	for _, gateway := range append(append([]gateways.Gateway{}, chosen.External...), chosen.Local...) {
		if hosts[gateway.QualifiedName()].Len() == 0 {
			continue
		}
		found, err := t.ofGateway(gateway, hosts[gateway.QualifiedName()])
		if err != nil {
			return nil, err
		}
		targets = append(targets, found...)
	}
	return targets, nil
}

func (t *probeTargets) ofGateway(gateway gateways.Gateway, hosts sets.Set[string]) ([]status.ProbeTarget, error) {
	object, err := t.gateways.Gateways(gateway.Namespace).Get(gateway.Name)
	if err != nil {
		return nil, fmt.Errorf("failed to get Gateway %s: %w", gateway.QualifiedName(), err)
	}
	name, namespace := gateway.ServiceKey()
	service, err := t.services.Services(namespace).Get(name)
	if err != nil {
		return nil, fmt.Errorf("failed to get Service of Gateway %s: %w", gateway.QualifiedName(), err)
	}
	endpoints, err := t.endpoints.Endpoints(namespace).Get(name)
	if err != nil {
		return nil, fmt.Errorf("failed to get Endpoints of Gateway %s: %w", gateway.QualifiedName(), err)
	}
	var targets []status.ProbeTarget
	for _, server := range object.Spec.Servers {
		urls := urlsOf(server, hosts)
		port, found := portName(service, int32(server.GetPort().GetNumber()))
		if len(urls) == 0 || !found {
			continue
		}
		for _, subset := range endpoints.Subsets {
			podPort, err := k8s.PortNumberForName(subset, port)
			if err != nil {
				continue // these pods do not serve that port
			}
			targets = append(targets, status.ProbeTarget{
				PodIPs:  podIPs(subset),
				PodPort: strconv.Itoa(int(podPort)),
				Port:    strconv.Itoa(int(server.Port.Number)),
				URLs:    urls,
			})
		}
	}
	return targets, nil
}

// urlsOf leaves out what a probe cannot tell anything about: a redirect to HTTPS, and a server that wants a certificate.
func urlsOf(server *istio.Server, hosts sets.Set[string]) []*url.URL {
	scheme := map[string]string{"HTTP": "http", "HTTP2": "http", "HTTPS": "https"}[server.GetPort().GetProtocol()]
	mutual := server.GetTls().GetMode() == istio.ServerTLSSettings_MUTUAL
	if scheme == "" || mutual || server.GetTls().GetHttpsRedirect() {
		return nil
	}
	var urls []*url.URL
	for _, host := range sets.List(hosts) {
		if serves(server, host) {
			urls = append(urls, &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(int(server.Port.Number)))})
		}
	}
	return urls
}

// serves compares as Istio does: [namespace/]name, *.suffix or *.
func serves(server *istio.Server, host string) bool {
	for _, pattern := range server.Hosts {
		if _, name, qualified := strings.Cut(pattern, "/"); qualified {
			pattern = name
		}
		suffix, wild := strings.CutPrefix(pattern, "*")
		if pattern == host || wild && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// portName finds a Service's port by its number or, as with the local gateway (80 to 8081), by the port of the pods.
func portName(service *corev1.Service, number int32) (string, bool) {
	if name, err := k8s.NameForPortNumber(service, number); err == nil {
		return name, true
	}
	for _, port := range service.Spec.Ports {
		if port.TargetPort.IntVal == number {
			return port.Name, true
		}
	}
	return "", false
}

func podIPs(subset corev1.EndpointSubset) sets.Set[string] {
	ips := sets.New[string]()
	for _, address := range subset.Addresses {
		ips.Insert(address.IP)
	}
	return ips
}
