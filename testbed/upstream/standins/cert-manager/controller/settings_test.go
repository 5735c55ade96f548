package main

import "testing"

// chart is what the chart v1.21.2 passes with its default values.
var chart = []string{
	"--v=2", "--cluster-resource-namespace=cert-manager", "--leader-election-namespace=kube-system",
	"--acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v1.21.2", "--max-concurrent-challenges=60",
}

func TestTheChartsFlagsAreTaken(t *testing.T) {
	s, err := parse(chart)
	if err != nil {
		t.Fatal(err)
	}
	if s.options.ClusterResourceNamespace != "cert-manager" || s.election.namespace != "kube-system" || !s.election.enabled {
		t.Errorf("got %+v", s)
	}
	if s.health != "0.0.0.0:9403" || s.metrics != "0.0.0.0:9402" {
		t.Errorf("the probes and metrics of the chart are not at %s and %s", s.health, s.metrics)
	}
}

func TestAnUnknownFlagIsRefused(t *testing.T) {
	if _, err := parse([]string{"--no-such-flag"}); err == nil {
		t.Error("accepted")
	}
}

func TestControllersAreWantedByNameStarOrUnlessNamedWithAMinus(t *testing.T) {
	for _, c := range []struct {
		flag string
		want bool
	}{
		{"", true}, {"--controllers=*", true}, {"--controllers=approver", true}, {"--controllers=issuers", false},
		{"--controllers=-approver", false}, {"--controllers=-issuers", true}, {"--controllers=*,-approver", false},
	} {
		arguments := []string{}
		if c.flag != "" {
			arguments = append(arguments, c.flag)
		}
		s, err := parse(arguments)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.wants("approver"); got != c.want {
			t.Errorf("%q: %t, want %t", c.flag, got, c.want)
		}
	}
}
