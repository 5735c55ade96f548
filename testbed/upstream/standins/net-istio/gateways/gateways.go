// Package gateways stands for net-istio's configuration (the module proxy refuses net-istio): it reads the ConfigMap
// config-istio in both formats that upstream documents.
package gateways

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/network"
	"knative.dev/pkg/system"
	"sigs.k8s.io/yaml"
)

// ConfigMap is the name of the ConfigMap, in Knative's namespace.
const ConfigMap = "config-istio"

const (
	externalKey = "external-gateways"
	localKey    = "local-gateways"
	// Of the old format: prefix + [namespace.]name = service.
	oldExternalPrefix = "gateway."
	oldLocalPrefix    = "local-gateway."
)

// Gateway is an Istio Gateway and the Service whose pods serve it.
type Gateway struct {
	Name          string                `json:"name"`
	Namespace     string                `json:"namespace"`
	Service       string                `json:"service"`
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}

// QualifiedName is how a VirtualService names it.
func (g Gateway) QualifiedName() string { return g.Namespace + "/" + g.Name }

// ServiceKey splits the Service's host into name and namespace. Parse has checked that it has both.
func (g Gateway) ServiceKey() (name, namespace string) {
	parts := strings.SplitN(g.Service, ".", 3)
	return parts[0], parts[1]
}

// Gateways are those for names of outside and those for names of the cluster.
type Gateways struct {
	External, Local []Gateway
}

// Parse reads the ConfigMap. A kind of gateway that it does not mention has upstream's default; "[]" means none.
func Parse(configMap *corev1.ConfigMap) (*Gateways, error) {
	external, oldExternal, err := read(configMap.Data, externalKey, oldExternalPrefix)
	if err != nil {
		return nil, err
	}
	local, oldLocal, err := read(configMap.Data, localKey, oldLocalPrefix)
	if err != nil {
		return nil, err
	}
	if (external != nil || local != nil) && (oldExternal != nil || oldLocal != nil) {
		return nil, fmt.Errorf("give gateways as %s and %s, or as gateway.* and local-gateway.*, not as both", externalKey, localKey)
	}
	return &Gateways{
		External: firstGiven(external, oldExternal, []Gateway{{
			Name: "knative-ingress-gateway", Namespace: system.Namespace(),
			Service: network.GetServiceHostname("istio-ingressgateway", "istio-system"),
		}}),
		Local: firstGiven(local, oldLocal, []Gateway{{
			Name: "knative-local-gateway", Namespace: system.Namespace(),
			Service: network.GetServiceHostname("knative-local-gateway", "istio-system"),
		}}),
	}, nil
}

// For gives the gateways of an Ingress with these labels: those that select it, else those without a selector.
func (g Gateways) For(ingressLabels map[string]string) Gateways {
	return Gateways{External: choose(g.External, ingressLabels), Local: choose(g.Local, ingressLabels)}
}

// Names gives the qualified names for each visibility of a rule.
func (g Gateways) Names() map[v1alpha1.IngressVisibility]sets.Set[string] {
	return map[v1alpha1.IngressVisibility]sets.Set[string]{
		v1alpha1.IngressVisibilityExternalIP:   names(g.External),
		v1alpha1.IngressVisibilityClusterLocal: names(g.Local),
	}
}

func names(gateways []Gateway) sets.Set[string] {
	all := sets.New[string]()
	for _, gateway := range gateways {
		all.Insert(gateway.QualifiedName())
	}
	return all
}

func choose(gateways []Gateway, ingressLabels map[string]string) []Gateway {
	var selected, unselective []Gateway
	for _, gateway := range gateways {
		if gateway.LabelSelector == nil {
			unselective = append(unselective, gateway)
			continue
		}
		// Parse has refused what is no selector.
		if s, err := metav1.LabelSelectorAsSelector(gateway.LabelSelector); err == nil && s.Matches(labels.Set(ingressLabels)) {
			selected = append(selected, gateway)
		}
	}
	if len(selected) > 0 {
		return selected
	}
	return unselective
}

func firstGiven(lists ...[]Gateway) []Gateway {
	for _, list := range lists {
		if list != nil {
			return list
		}
	}
	return nil
}

func read(data map[string]string, key, oldPrefix string) (list, old []Gateway, err error) {
	if text, given := data[key]; given {
		if list, err = readList(key, text); err != nil {
			return nil, nil, err
		}
	}
	for name, service := range data {
		if !strings.HasPrefix(name, oldPrefix) {
			continue
		}
		namespace, gateway, found := strings.Cut(strings.TrimPrefix(name, oldPrefix), ".")
		if !found {
			namespace, gateway = system.Namespace(), namespace
		}
		one := Gateway{Name: gateway, Namespace: namespace, Service: strings.TrimSuffix(service, ".")}
		if err := check(one); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		old = append(old, one)
	}
	return list, old, nil
}

func readList(key, text string) ([]Gateway, error) {
	list := []Gateway{}
	if err := yaml.UnmarshalStrict([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	defaults := 0
	for i := range list {
		list[i].Service = strings.TrimSuffix(list[i].Service, ".")
		if err := check(list[i]); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", key, i, err)
		}
		if list[i].LabelSelector == nil {
			defaults++
		}
	}
	if len(list) > 0 && defaults != 1 {
		return nil, fmt.Errorf("%s: %d gateways have no labelSelector; exactly one, the default, must have none", key, defaults)
	}
	return list, nil
}

func check(gateway Gateway) error {
	if gateway.Name == "" || gateway.Namespace == "" {
		return errors.New("name and namespace must be given")
	}
	if problems := validation.IsDNS1123Subdomain(gateway.Service); len(problems) > 0 {
		return fmt.Errorf("service %q: %s", gateway.Service, strings.Join(problems, "; "))
	}
	if strings.Count(gateway.Service, ".") < 1 {
		return fmt.Errorf("service %q: give name.namespace.svc.%s", gateway.Service, network.GetClusterDomainName())
	}
	_, err := metav1.LabelSelectorAsSelector(gateway.LabelSelector)
	return err
}
