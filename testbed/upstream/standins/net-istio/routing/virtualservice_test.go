package routing

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	istio "istio.io/api/networking/v1beta1"
	"istio.io/client-go/pkg/apis/networking/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/ingress"
)

const (
	public = "knative-serving/knative-ingress-gateway"
	local  = "knative-serving/knative-local-gateway"
)

var both = GatewayNames{
	v1alpha1.IngressVisibilityExternalIP:   sets.New(public),
	v1alpha1.IngressVisibilityClusterLocal: sets.New(local),
}

func split(service string, percent int, headers map[string]string) v1alpha1.IngressBackendSplit {
	return v1alpha1.IngressBackendSplit{
		IngressBackend: v1alpha1.IngressBackend{ServiceNamespace: "models", ServiceName: service, ServicePort: intstr.FromInt32(80)},
		Percent:        percent, AppendHeaders: headers,
	}
}

func rule(visibility v1alpha1.IngressVisibility, host string, paths ...v1alpha1.HTTPIngressPath) v1alpha1.IngressRule {
	return v1alpha1.IngressRule{
		Hosts: []string{host}, Visibility: visibility, HTTP: &v1alpha1.HTTPIngressRuleValue{Paths: paths},
	}
}

func outside(paths ...v1alpha1.HTTPIngressPath) v1alpha1.IngressRule {
	return rule(v1alpha1.IngressVisibilityExternalIP, "chat-models.serverless.example.com", paths...)
}

func inside(paths ...v1alpha1.HTTPIngressPath) v1alpha1.IngressRule {
	return rule(v1alpha1.IngressVisibilityClusterLocal, "chat.models.svc.cluster.local", paths...)
}

func to(splits ...v1alpha1.IngressBackendSplit) v1alpha1.HTTPIngressPath {
	return v1alpha1.HTTPIngressPath{Splits: splits}
}

func chat(rules ...v1alpha1.IngressRule) *v1alpha1.Ingress {
	ing := &v1alpha1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Name: "chat", Namespace: "models", UID: "7",
			Labels: map[string]string{routeLabel: "chat", routeNamespaceLabel: "models", "other": "not copied"},
		},
		Spec: v1alpha1.IngressSpec{Rules: rules},
	}
	ing.SetDefaults(context.Background())
	return ing
}

func only(t *testing.T, ing *v1alpha1.Ingress, gateways GatewayNames) *v1beta1.VirtualService {
	t.Helper()
	made := VirtualServices(ing, gateways)
	if len(made) != 1 {
		t.Fatalf("made %d VirtualServices, want 1", len(made))
	}
	return made[0]
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error("(-want +got):", diff)
	}
}

func prefix(text string) *istio.StringMatch {
	return &istio.StringMatch{MatchType: &istio.StringMatch_Prefix{Prefix: text}}
}

func exact(text string) *istio.StringMatch {
	return &istio.StringMatch{MatchType: &istio.StringMatch_Exact{Exact: text}}
}

func destination(service string, weight int32, headers map[string]string) *istio.HTTPRouteDestination {
	return &istio.HTTPRouteDestination{
		Destination: &istio.Destination{Host: service + ".models.svc.cluster.local", Port: &istio.PortSelector{Number: 80}},
		Weight:      weight, Headers: setHeaders(headers),
	}
}

func TestAnOutsideHostIsServedByTheExternalGatewayOnly(t *testing.T) {
	revision := map[string]string{"Knative-Serving-Revision": "chat-00001"}
	made := only(t, chat(outside(to(split("chat-00001", 0, revision)))), both)
	same(t, made.Name, "chat-ingress")
	same(t, &made.Spec, &istio.VirtualService{
		Hosts:    []string{"chat-models.serverless.example.com"},
		Gateways: []string{public},
		Http: []*istio.HTTPRoute{{
			Retries: &istio.HTTPRetry{},
			Match:   []*istio.HTTPMatchRequest{{Gateways: []string{public}, Authority: prefix("chat-models.serverless.example.com")}},
			Route:   []*istio.HTTPRouteDestination{destination("chat-00001", 100, revision)},
		}},
	})
}

func TestAnInsideHostIsServedByTheLocalGatewayAndTheMeshInAllItsForms(t *testing.T) {
	made := VirtualServices(chat(inside(to(split("chat-00001", 100, nil)))), both)
	if len(made) != 2 {
		t.Fatalf("made %d VirtualServices, want -mesh and -ingress", len(made))
	}
	hosts := []string{"chat.models", "chat.models.svc", "chat.models.svc.cluster.local"}
	for i, want := range []struct{ name, gateway string }{{"chat-mesh", "mesh"}, {"chat-ingress", local}} {
		same(t, made[i].Name, want.name)
		same(t, &made[i].Spec, &istio.VirtualService{
			Hosts: hosts, Gateways: []string{want.gateway},
			Http: []*istio.HTTPRoute{{
				Retries: &istio.HTTPRetry{},
				Match:   []*istio.HTTPMatchRequest{{Gateways: []string{want.gateway}, Authority: prefix("chat.models")}},
				Route:   []*istio.HTTPRouteDestination{destination("chat-00001", 100, nil)},
			}},
		})
	}
}

func TestWithoutGatewaysOnlyTheMeshRoutesAndByTheFullName(t *testing.T) {
	made := only(t, chat(outside(to(split("a", 100, nil))), inside(to(split("a", 100, nil)))), nil)
	same(t, made.Name, "chat-mesh")
	same(t, made.Spec.Hosts, []string{"chat.models.svc.cluster.local"})
	same(t, len(made.Spec.Http), 1)
}

func TestARuleThatNoGatewayServesGetsNoRouteEvenForAHostThatAnotherRuleShares(t *testing.T) {
	onlyLocal := GatewayNames{v1alpha1.IngressVisibilityClusterLocal: sets.New(local)}
	shared := inside(to(split("shared", 100, nil)))
	shared.Visibility = v1alpha1.IngressVisibilityExternalIP
	made := VirtualServices(chat(outside(to(split("a", 100, nil))), shared, inside(to(split("b", 100, nil)))), onlyLocal)
	onGateways := made[len(made)-1]
	same(t, onGateways.Name, "chat-ingress")
	same(t, onGateways.Spec.Hosts, []string{"chat.models", "chat.models.svc", "chat.models.svc.cluster.local"})
	same(t, len(onGateways.Spec.Http), 1)
	same(t, onGateways.Spec.Http[0].Route, []*istio.HTTPRouteDestination{destination("b", 100, nil)})
}

func TestTrafficIsSplitByPercentWithTheHeadersOfEachSplit(t *testing.T) {
	first, second := map[string]string{"Knative-Serving-Revision": "chat-00001"}, map[string]string{"Knative-Serving-Revision": "chat-00002"}
	made := only(t, chat(outside(to(split("chat-00001", 90, first), split("chat-00002", 10, second)))), both)
	same(t, made.Spec.Http[0].Route, []*istio.HTTPRouteDestination{
		destination("chat-00001", 90, first), destination("chat-00002", 10, second),
	})
}

func TestATagIsMatchedByItsHeaderBeforeTheRest(t *testing.T) {
	canary := to(split("chat-00002", 100, nil))
	canary.Headers = map[string]v1alpha1.HeaderMatch{"Knative-Serving-Tag": {Exact: "canary"}}
	canary.AppendHeaders = map[string]string{"Knative-Serving-Default-Route": "false"}
	made := only(t, chat(outside(canary, to(split("chat-00001", 100, nil)))), both)
	same(t, len(made.Spec.Http), 2)
	same(t, made.Spec.Http[0], &istio.HTTPRoute{
		Retries: &istio.HTTPRetry{},
		Headers: setHeaders(canary.AppendHeaders),
		Match: []*istio.HTTPMatchRequest{{
			Gateways: []string{public}, Authority: prefix("chat-models.serverless.example.com"),
			Headers: map[string]*istio.StringMatch{"Knative-Serving-Tag": exact("canary")},
		}},
		Route: []*istio.HTTPRouteDestination{destination("chat-00002", 100, nil)},
	})
	same(t, len(made.Spec.Http[1].Match[0].Headers), 0)
}

func TestAPathIsMatchedByPrefixAndAHostRewritten(t *testing.T) {
	path := to(split("chat", 100, nil))
	path.Path, path.RewriteHost = "/v1/", "chat.models.svc.cluster.local"
	made := only(t, chat(outside(path)), both).Spec.Http[0]
	same(t, made.Match[0].Uri, prefix("/v1/"))
	same(t, made.Rewrite, &istio.HTTPRewrite{Authority: "chat.models.svc.cluster.local"})
}

func TestNoRouteHasATimeoutOrRetries(t *testing.T) {
	for _, made := range VirtualServices(chat(outside(to(split("a", 100, nil))), inside(to(split("a", 100, nil)))), both) {
		for _, one := range made.Spec.Http {
			same(t, one.Retries, &istio.HTTPRetry{})
			if one.Timeout != nil {
				t.Errorf("%s has a timeout of %s", made.Name, one.Timeout)
			}
		}
	}
}

func TestTheProbesRoutesComeFirstAndTellTheHash(t *testing.T) {
	probed := chat(outside(to(split("chat-00001", 100, nil))))
	hash, err := ingress.InsertProbe(probed)
	if err != nil {
		t.Fatal(err)
	}
	routes := only(t, probed, both).Spec.Http
	same(t, len(routes), 2)
	same(t, routes[0].Match[0].Headers, map[string]*istio.StringMatch{"K-Network-Hash": exact("override")})
	same(t, routes[0].Headers, setHeaders(map[string]string{"K-Network-Hash": hash}))
}

func TestTheIngressOwnsWhatIsMadeOfItAndItsRouteIsNamed(t *testing.T) {
	ing := chat(outside(to(split("a", 100, nil))))
	made := only(t, ing, both)
	same(t, metav1.IsControlledBy(made, ing), true)
	same(t, made.Labels, map[string]string{
		"networking.internal.knative.dev/ingress": "chat", routeLabel: "chat", routeNamespaceLabel: "models",
	})
}

func TestAHostIsDroppedWhenAnotherIsItsPrefix(t *testing.T) {
	same(t, hostPrefixes(sets.New("a", "ab", "abc", "xyz", "xy", "m")), []string{"a", "m", "xy"})
}
