// Part of the stand-in for cert-manager's cmd/controller (see main.go): the flags that the chart passes to it.

package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/pkg/controller"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// settings are the flags that the chart can pass, with cert-manager's defaults.
type settings struct {
	options         controller.ContextOptions
	controllers     []string
	workers         int
	metrics, health string
	election        election
	logging         *logsapi.LoggingConfiguration
}

func parse(arguments []string) (settings, error) {
	s := settings{logging: logsapi.NewLoggingConfiguration()}
	o := &s.options
	o.CopiedAnnotationPrefixes = []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"}
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "path to a kubeconfig; in a pod, its service account is used")
	flags.Float32Var(&o.KubernetesAPIQPS, "kube-api-qps", 20, "requests per second to the API server")
	flags.IntVar(&o.KubernetesAPIBurst, "kube-api-burst", 50, "burst of requests to the API server")
	flags.StringVar(&o.Namespace, "namespace", "", "work in this namespace only")
	flags.StringVar(&o.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "namespace of a ClusterIssuer's secrets")
	flags.BoolVar(&o.EnableOwnerRef, "enable-certificate-owner-ref", false, "make a Certificate the owner of its secret")
	flags.DurationVar(&o.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration", time.Hour, "first pause after a failed request")
	flags.DurationVar(&o.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration", 32*time.Hour, "longest pause after failed requests")
	flags.StringSliceVar(&s.controllers, "controllers", []string{"*"}, "controllers to run; -name leaves one out")
	flags.IntVar(&s.workers, "concurrent-workers", 5, "workers of each controller")
	flags.StringVar(&s.metrics, "metrics-listen-address", "0.0.0.0:9402", "where metrics are served")
	flags.StringVar(&s.health, "internal-healthz-listen-address", "0.0.0.0:9403", "where /livez is served")
	s.election.addFlags(flags)
	addUnusedFlags(flags, o)
	logf.AddFlags(s.logging, flags)
	return s, flags.Parse(arguments)
}

// addUnusedFlags accepts what the chart passes for the issuers that are not linked in.
func addUnusedFlags(flags *pflag.FlagSet, o *controller.ContextOptions) {
	flags.StringVar(&o.HTTP01SolverImage, "acme-http01-solver-image", "", "image of the ACME solver")
	flags.StringToStringVar(&o.HTTP01SolverExtraLabels, "acme-http01-solver-extra-labels", nil, "labels of the ACME solver")
	flags.StringVar(&o.HTTP01SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "", "runtime class of the ACME solver")
	flags.IntVar(&o.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "ACME challenges at once")
	flags.Bool("dns01-recursive-nameservers-only", false, "for ACME")
	flags.StringSlice("dns01-recursive-nameservers", nil, "for ACME")
	flags.StringVar(&o.DefaultIssuerName, "default-issuer-name", "", "for Ingress annotations")
	flags.StringVar(&o.DefaultIssuerKind, "default-issuer-kind", "Issuer", "for Ingress annotations")
	flags.StringVar(&o.DefaultIssuerGroup, "default-issuer-group", "cert-manager.io", "for Ingress annotations")
	flags.String("feature-gates", "", "none of the features is linked in")
}

// wants tells whether --controllers asks for the controller: by name or *, unless it is named with a minus.
func (s settings) wants(name string) bool {
	if slices.Contains(s.controllers, "-"+name) {
		return false
	}
	// The chart leaves out one controller by giving only its name with a minus; the others are then wanted.
	onlyMinus := !slices.ContainsFunc(s.controllers, func(c string) bool { return !strings.HasPrefix(c, "-") })
	return onlyMinus || slices.Contains(s.controllers, "*") || slices.Contains(s.controllers, name)
}
