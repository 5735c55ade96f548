// Stands for cert-manager's cmd/controller, which the Go module proxy refuses: upstream's own controllers, started by this main.
//
// The self-signed and CA issuers are in it and all of the Certificate controllers; ACME, Vault and Venafi are not, since an
// air-gapped site has nothing for them to talk to and their clients would treble the program.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves metrics and liveness at once, and the controllers as soon as this process leads.
func run(ctx context.Context, arguments []string) error {
	s, err := parse(arguments)
	if err != nil {
		return err
	}
	if err := logf.ValidateAndApply(s.logging); err != nil {
		return err
	}
	ctx = logf.NewContext(ctx, klog.Background(), "controller")
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, s.options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	informers := shared.SharedInformerFactory.Certmanager().V1()
	shared.Metrics.SetupCertificateCollector(informers.Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(informers.Issuers().Lister())
	shared.Metrics.SetupClusterIssuerCollector(informers.ClusterIssuers().Lister())
	if err := serveMetrics(ctx, group, shared, s.metrics); err != nil {
		return err
	}
	health := healthz.NewServer(s.election.healthTimeout)
	listener, err := net.Listen("tcp", s.health)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, listener) })
	work := func(ctx context.Context) error { return runControllers(ctx, factory, shared, s) }
	group.Go(func() error { return s.election.run(ctx, shared.Client, health, work) })
	return group.Wait()
}

// runControllers starts every controller that is linked in and wanted, and blocks until ctx ends.
func runControllers(ctx context.Context, factory *controller.ContextFactory, shared *controller.Context, s settings) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if !s.wants(name) {
			continue
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		group.Go(func() error {
			if err := loop.Run(s.workers, ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}
