// Pulls an image's manifest as K3s and RKE2 do: by a registries.yaml, through Rancher's wharfie. Prints its digest.
package main

import (
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/rancher/wharfie/pkg/registries"
)

func main() {
	if err := pull(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pull(config, image string) error {
	registry, err := registries.GetPrivateRegistries(config)
	if err != nil {
		return err
	}
	reference, err := name.ParseReference(image)
	if err != nil {
		return err
	}
	found, err := registry.Image(reference)
	if err != nil {
		return err
	}
	digest, err := found.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}
