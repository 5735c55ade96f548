// Part of the stand-in for cert-manager's cmd/controller (see main.go): the election of a leader, which upstream keeps in cmd.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/cert-manager/cert-manager/pkg/healthz"
)

// lease is the name that the chart's Role allows.
const lease = "cert-manager-controller"

// election decides which of several controllers works.
type election struct {
	enabled                               bool
	namespace                             string
	duration, renew, retry, healthTimeout time.Duration
}

func (e *election) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&e.enabled, "leader-elect", true, "let one of several controllers work")
	flags.StringVar(&e.namespace, "leader-election-namespace", "kube-system", "namespace of the lease")
	flags.DurationVar(&e.duration, "leader-election-lease-duration", 60*time.Second, "how long a lease is held")
	flags.DurationVar(&e.renew, "leader-election-renew-deadline", 40*time.Second, "how long a renewal may take")
	flags.DurationVar(&e.retry, "leader-election-retry-period", 15*time.Second, "pause between tries")
	flags.DurationVar(&e.healthTimeout, "internal-healthz-leader-election-timeout", 20*time.Second, "grace after a lost lease")
}

// run waits for the lease and then works until ctx ends, the work ends or the lease is lost.
func (e election) run(ctx context.Context, client kubernetes.Interface, health *healthz.Server, work func(context.Context) error) error {
	if !e.enabled {
		return work(ctx)
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	worked := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: e.namespace, Name: lease},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: fmt.Sprintf("%s-%d", host, os.Getpid())},
		},
		LeaseDuration: e.duration, RenewDeadline: e.renew, RetryPeriod: e.retry,
		ReleaseOnCancel: true, WatchDog: health.LeaderHealthzAdaptor, Name: lease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { worked <- work(ctx); cancel() },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	health.LeaderHealthzAdaptor.SetLeaderElection(elector)
	elector.Run(ctx)
	if !elector.IsLeader() && ctx.Err() == nil {
		return errors.New("the lease was lost")
	}
	select {
	case err := <-worked:
		return err
	default:
		return nil
	}
}
