// Stands for cert-manager's cmd/webhook, which the Go module proxy refuses: upstream's own webhook server, started by this main.
//
// Everything that answers is cert-manager's: the dynamic serving authority, /mutate (identity of a CertificateRequest) and
// /validate (approval and the validation of all resources). Not here: the check of a --config file before it is used.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/configfile"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends. A --config file is read first and the flags are laid over it.
func run(ctx context.Context, arguments []string) error {
	config, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	file := options.NewWebhookFlags()
	file.AddFlags(flags)
	options.AddConfigFlags(flags, config)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if file.Config != "" {
		text, err := os.ReadFile(file.Config)
		if err != nil {
			return err
		}
		read := configfile.New()
		if err := read.DecodeAndConfigure(text); err != nil {
			return err
		}
		*config = *read.Config
		if err := flags.Parse(arguments); err != nil {
			return err
		}
	}
	if err := logf.ValidateAndApply(&config.Logging); err != nil {
		return err
	}
	log := klog.Background().WithName("webhook")
	ctrl.SetLogger(log)
	server, err := webhook.NewCertManagerWebhookServer(log, *config)
	if err != nil {
		return err
	}
	return server.Run(logf.NewContext(ctx, log))
}
