// Stands for cert-manager's cmd/cainjector, which the Go module proxy refuses: upstream's own injectors, started by this main.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

// settings are the flags that the chart can pass.
type settings struct {
	kubeconfig, namespace, metrics string
	leaderElection                 bool
	mutating, validating           bool
	apiServices, definitions       bool
	electionNamespace              string
	lease, renew, retry            time.Duration
	logging                        *logsapi.LoggingConfiguration
}

func parse(arguments []string) (settings, error) {
	s := settings{logging: logsapi.NewLoggingConfiguration()}
	flags := pflag.NewFlagSet("cainjector", pflag.ContinueOnError)
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "path to a kubeconfig; in a pod, its service account is used")
	flags.StringVar(&s.namespace, "namespace", "", "watch secrets in this namespace only")
	flags.StringVar(&s.metrics, "metrics-listen-address", "0.0.0.0:9402", "where metrics are served; 0 serves none")
	flags.BoolVar(&s.leaderElection, "leader-elect", true, "let one of several cainjectors work")
	flags.StringVar(&s.electionNamespace, "leader-election-namespace", "kube-system", "namespace of the lease")
	flags.DurationVar(&s.lease, "leader-election-lease-duration", 60*time.Second, "how long a lease is held")
	flags.DurationVar(&s.renew, "leader-election-renew-deadline", 40*time.Second, "how long a renewal may take")
	flags.DurationVar(&s.retry, "leader-election-retry-period", 15*time.Second, "pause between tries")
	flags.BoolVar(&s.mutating, "enable-mutatingwebhookconfigurations-injectable", true, "write into these")
	flags.BoolVar(&s.validating, "enable-validatingwebhookconfigurations-injectable", true, "write into these")
	flags.BoolVar(&s.apiServices, "enable-apiservices-injectable", true, "write into these")
	flags.BoolVar(&s.definitions, "enable-customresourcedefinitions-injectable", true, "write into these")
	logf.AddFlags(s.logging, flags)
	return s, flags.Parse(arguments)
}

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	s, err := parse(arguments)
	if err != nil {
		return err
	}
	if err := logf.ValidateAndApply(s.logging); err != nil {
		return err
	}
	ctrl.SetLogger(klog.Background().WithName("cainjector"))
	manager, err := newManager(s)
	if err != nil {
		return err
	}
	enabled := map[string]bool{
		cainjector.MutatingWebhookConfigurationName:   s.mutating,
		cainjector.ValidatingWebhookConfigurationName: s.validating,
		cainjector.APIServiceName:                     s.apiServices,
		cainjector.CustomResourceDefinitionName:       s.definitions,
	}
	if err := cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace: s.namespace, EnableCertificatesDataSource: true, EnabledReconcilersFor: enabled,
	}); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func newManager(s settings) (ctrl.Manager, error) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, certmanager.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme,
	} {
		if err := add(known); err != nil {
			return nil, err
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(util.RestConfigWithUserAgent(config, "cainjector"), ctrl.Options{
		Scheme:                        known,
		Metrics:                       metricsserver.Options{BindAddress: s.metrics},
		LeaderElection:                s.leaderElection,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionNamespace:       s.electionNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &s.lease,
		RenewDeadline:                 &s.renew,
		RetryPeriod:                   &s.retry,
		// The injectors watch the metadata of secrets only; reading a whole one past the cache keeps the rest out of memory.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
}
