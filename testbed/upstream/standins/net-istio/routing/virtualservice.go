// Package routing stands for net-istio's mapping (the module proxy refuses net-istio): a Knative Ingress becomes up to two
// Istio VirtualServices, <ingress>-ingress on the gateways and <ingress>-mesh for the sidecars, of the shape that upstream
// documents. It is pure: nothing here talks to a cluster. The Ingress must have the API's defaults set.
package routing

import (
	"slices"
	"strings"

	istio "istio.io/api/networking/v1beta1"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
	"knative.dev/pkg/kmeta"
	"knative.dev/pkg/network"
)

const (
	meshGateway         = "mesh"
	routeLabel          = "serving.knative.dev/route"
	routeNamespaceLabel = "serving.knative.dev/routeNamespace"
)

// GatewayNames are the qualified names (namespace/name) of the Gateways for each visibility of a rule.
type GatewayNames = map[v1alpha1.IngressVisibility]sets.Set[string]

// VirtualServices gives what has to exist for the Ingress. The -mesh one only has names of the cluster; the -ingress one is
// left out when no gateway serves any rule.
func VirtualServices(ing *v1alpha1.Ingress, gateways GatewayNames) []*v1beta1.VirtualService {
	var services []*v1beta1.VirtualService
	if hosts := meshHosts(ing, gateways); hosts.Len() > 0 {
		mesh := GatewayNames{
			v1alpha1.IngressVisibilityExternalIP:   sets.New(meshGateway),
			v1alpha1.IngressVisibilityClusterLocal: sets.New(meshGateway),
		}
		services = append(services, virtualService(ing, "-mesh", hosts, mesh))
	}
	if hosts := gatewayHosts(ing, gateways); hosts.Len() > 0 {
		services = append(services, virtualService(ing, "-ingress", hosts, gateways))
	}
	return services
}

func virtualService(ing *v1alpha1.Ingress, suffix string, hosts sets.Set[string], gateways GatewayNames) *v1beta1.VirtualService {
	used := sets.New[string]()
	var routes []*istio.HTTPRoute
	for _, rule := range ing.Spec.Rules {
		names := gateways[rule.Visibility]
		ruleHosts := ingress.ExpandedHosts(sets.New(rule.Hosts...)).Intersection(hosts)
		// An empty list of gateways in a match would mean all of the VirtualService's.
		if names.Len() == 0 || ruleHosts.Len() == 0 || rule.HTTP == nil {
			continue
		}
		used = used.Union(names)
		for i := range rule.HTTP.Paths {
			routes = append(routes, route(&rule.HTTP.Paths[i], ruleHosts, sets.List(names)))
		}
	}
	return &v1beta1.VirtualService{
		ObjectMeta: metav1.ObjectMeta{
			Name:            kmeta.ChildName(ing.Name, suffix),
			Namespace:       ing.Namespace,
			Labels:          serviceLabels(ing),
			OwnerReferences: []metav1.OwnerReference{*kmeta.NewControllerRef(ing)},
		},
		Spec: istio.VirtualService{Hosts: sets.List(hosts), Gateways: sets.List(used), Http: routes},
	}
}

func serviceLabels(ing *v1alpha1.Ingress) map[string]string {
	kept := map[string]string{networking.IngressLabelKey: ing.Name}
	for _, key := range []string{routeLabel, routeNamespaceLabel} {
		if value, given := ing.Labels[key]; given {
			kept[key] = value
		}
	}
	return kept
}

// route sends what a path matches to its splits. It has no timeout, since Knative's own components bound a request, and no
// retries, since Istio's default of two would repeat a request that a model has already begun to answer.
func route(path *v1alpha1.HTTPIngressPath, hosts sets.Set[string], gateways []string) *istio.HTTPRoute {
	made := &istio.HTTPRoute{Retries: &istio.HTTPRetry{}, Headers: setHeaders(path.AppendHeaders)}
	for _, prefix := range hostPrefixes(hosts) {
		made.Match = append(made.Match, match(path, prefix, gateways))
	}
	for _, split := range path.Splits {
		made.Route = append(made.Route, &istio.HTTPRouteDestination{
			Destination: &istio.Destination{
				Host: network.GetServiceHostname(split.ServiceName, split.ServiceNamespace),
				Port: &istio.PortSelector{Number: uint32(split.ServicePort.IntValue())},
			},
			Weight:  int32(split.Percent),
			Headers: setHeaders(split.AppendHeaders),
		})
	}
	if path.RewriteHost != "" {
		made.Rewrite = &istio.HTTPRewrite{Authority: path.RewriteHost}
	}
	return made
}

// match asks for a prefix of the authority, which may carry a port.
func match(path *v1alpha1.HTTPIngressPath, hostPrefix string, gateways []string) *istio.HTTPMatchRequest {
	asked := &istio.HTTPMatchRequest{
		Gateways:  gateways,
		Authority: &istio.StringMatch{MatchType: &istio.StringMatch_Prefix{Prefix: hostPrefix}},
	}
	if path.Path != "" {
		asked.Uri = &istio.StringMatch{MatchType: &istio.StringMatch_Prefix{Prefix: path.Path}}
	}
	for name, value := range path.Headers {
		if asked.Headers == nil {
			asked.Headers = make(map[string]*istio.StringMatch, len(path.Headers))
		}
		asked.Headers[name] = &istio.StringMatch{MatchType: &istio.StringMatch_Exact{Exact: value.Exact}}
	}
	return asked
}

func setHeaders(headers map[string]string) *istio.Headers {
	if len(headers) == 0 {
		return nil
	}
	return &istio.Headers{Request: &istio.Headers_HeaderOperations{Set: headers}}
}

// hostPrefixes leaves out each host that begins with another: svc.ns covers svc.ns.svc.cluster.local.
func hostPrefixes(hosts sets.Set[string]) []string {
	var kept []string
	for _, host := range sets.List(hosts) { // sorted, so that a prefix comes before what it covers
		if !slices.ContainsFunc(kept, func(prefix string) bool { return strings.HasPrefix(host, prefix) }) {
			kept = append(kept, host)
		}
	}
	return kept
}

// meshHosts are the names of the cluster. Their short forms are added only where a local gateway also serves them.
func meshHosts(ing *v1alpha1.Ingress, gateways GatewayNames) sets.Set[string] {
	hosts := sets.New[string]()
	for _, rule := range ing.Spec.Rules {
		for _, host := range rule.Hosts {
			if strings.HasSuffix(host, network.GetClusterDomainName()) {
				hosts.Insert(host)
			}
		}
	}
	if gateways[v1alpha1.IngressVisibilityClusterLocal].Len() == 0 {
		return hosts
	}
	return ingress.ExpandedHosts(hosts)
}

func gatewayHosts(ing *v1alpha1.Ingress, gateways GatewayNames) sets.Set[string] {
	hosts := sets.New[string]()
	for _, rule := range ing.Spec.Rules {
		if gateways[rule.Visibility].Len() > 0 {
			hosts = hosts.Union(ingress.ExpandedHosts(sets.New(rule.Hosts...)))
		}
	}
	return hosts
}
