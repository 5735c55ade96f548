package gateways

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "knative.dev/pkg/system/testing"
)

const edge = `
- name: edge
  namespace: knative-serving
  service: edge.istio-system.svc.cluster.local.
`

const blue = `
- name: blue
  namespace: gateways
  service: blue.istio-system.svc.cluster.local
  labelSelector: {matchLabels: {tier: blue}}
`

func parsed(t *testing.T, data map[string]string) *Gateways {
	t.Helper()
	got, err := Parse(&corev1.ConfigMap{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func qualified(gateways []Gateway) (all []string) {
	for _, gateway := range gateways {
		all = append(all, gateway.QualifiedName()+" "+gateway.Service)
	}
	return all
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func TestAnEmptyConfigMapHasTheGatewaysOfTheRelease(t *testing.T) {
	got := parsed(t, nil)
	same(t, qualified(got.External), []string{"knative-testing/knative-ingress-gateway istio-ingressgateway.istio-system.svc.cluster.local"})
	same(t, qualified(got.Local), []string{"knative-testing/knative-local-gateway knative-local-gateway.istio-system.svc.cluster.local"})
}

func TestOneKindCanBeGivenAndTheOtherKeepsItsDefault(t *testing.T) {
	got := parsed(t, map[string]string{"external-gateways": edge})
	same(t, qualified(got.External), []string{"knative-serving/edge edge.istio-system.svc.cluster.local"})
	same(t, len(got.Local), 1)
}

func TestAnEmptyListMeansNoGateways(t *testing.T) {
	got := parsed(t, map[string]string{"external-gateways": "[]", "local-gateways": "[]"})
	same(t, len(got.External)+len(got.Local), 0)
}

func TestTheOldFormatIsRead(t *testing.T) {
	got := parsed(t, map[string]string{
		"gateway.one":                 "a.b.svc.cluster.local",
		"local-gateway.elsewhere.two": "c.d.svc.cluster.local",
	})
	same(t, qualified(got.External), []string{"knative-testing/one a.b.svc.cluster.local"})
	same(t, qualified(got.Local), []string{"elsewhere/two c.d.svc.cluster.local"})
}

func TestALabelSelectorChoosesAndTheOthersTakeTheDefault(t *testing.T) {
	got := parsed(t, map[string]string{"external-gateways": edge + blue})
	same(t, got.For(map[string]string{"tier": "blue"}).External[0].Name, "blue")
	same(t, got.For(nil).External[0].Name, "edge")
}

func TestAServiceIsSplitIntoNameAndNamespace(t *testing.T) {
	name, namespace := Gateway{Service: "edge.istio-system.svc.cluster.local"}.ServiceKey()
	same(t, []string{name, namespace}, []string{"edge", "istio-system"})
}

func TestABrokenConfigMapIsRefused(t *testing.T) {
	for name, data := range map[string]map[string]string{
		"both formats":                {"external-gateways": edge, "gateway.one": "a.b.svc.cluster.local"},
		"no default":                  {"external-gateways": blue},
		"two defaults":                {"local-gateways": edge + edge},
		"no name":                     {"external-gateways": strings.Replace(edge, "name: edge", `name: ""`, 1)},
		"no service":                  {"external-gateways": "[{name: a, namespace: b}]"},
		"a service without namespace": {"external-gateways": "[{name: a, namespace: b, service: c}]"},
		"a service that is no host":   {"gateway.one": "_invalid"},
		"an unknown field":            {"external-gateways": "[{name: a, namespace: b, service: c.d, port: 1}]"},
		"no list":                     {"local-gateways": "name: a"},
		"a broken selector":           {"external-gateways": edge + "- {name: a, namespace: b, service: c.d, labelSelector: {matchExpressions: [{key: k, operator: In}]}}"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Parse(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ConfigMap}, Data: data}); err == nil {
				t.Errorf("accepted as %+v", got)
			}
		})
	}
}
