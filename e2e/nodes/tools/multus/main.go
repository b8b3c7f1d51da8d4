// multus stands in for Multus in tests, and for nothing else: Multus cannot be had from a package registry. It keeps to
// what Multus publishes: the annotation k8s.v1.cni.cncf.io/networks names NetworkAttachmentDefinitions, each is attached in
// order as net1, net2, ... after the cluster's own network; a definition with the annotation
// k8s.v1.cni.cncf.io/resourceName gets the next device of that resource, as the kubelet's pod-resources API lists them, in
// "deviceID" of its first plugin; k8s.v1.cni.cncf.io/network-status says what came of it. DEL goes by what ADD noted, last
// first, and asks nobody.
//
// Not here: interface, ips, mac and cni-args of the annotation's elements, v1.multus-cni.io/default-network, device-info files.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

const version = "1.0.0"

// config is what the runtime finds in its folder, as far as it is read here.
type config struct {
	Kubeconfig     string `json:"kubeconfig"`
	ClusterNetwork string `json:"clusterNetwork"`
	CacheDir       string `json:"cniDir"`
}

func main() {
	out, err := run(context.Background())
	if err != nil {
		json.NewEncoder(os.Stdout).Encode(types.NewError(types.ErrInternal, "multus stand-in: "+err.Error(), ""))
		os.Exit(1)
	}
	fmt.Print(out)
}

func run(ctx context.Context) (string, error) {
	command := os.Getenv("CNI_COMMAND")
	if command == "VERSION" {
		return fmt.Sprintf(`{"cniVersion":%q,"supportedVersions":[%q]}`, version, version), nil
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", err
	}
	settings := config{CacheDir: "/var/lib/cni/multus"}
	if err := json.Unmarshal(input, &settings); err != nil {
		return "", err
	}
	sandbox := &sandbox{
		id:    os.Getenv("CNI_CONTAINERID"),
		netns: os.Getenv("CNI_NETNS"),
		first: os.Getenv("CNI_IFNAME"),
		args:  arguments(os.Getenv("CNI_ARGS")),
		notes: filepath.Join(settings.CacheDir, os.Getenv("CNI_CONTAINERID")),
		cni:   libcni.NewCNIConfigWithCacheDir(filepath.SplitList(os.Getenv("CNI_PATH")), settings.CacheDir+"-results", nil),
	}
	switch command {
	case "ADD":
		result, err := add(ctx, &settings, sandbox)
		if err != nil {
			// As Multus does; the runtime sends a DEL besides.
			sandbox.detach(ctx)
			return "", err
		}
		converted, err := result.GetAsVersion(version)
		if err != nil {
			return "", err
		}
		printed, err := json.Marshal(converted)
		return string(printed), err
	case "DEL":
		return "", sandbox.detach(ctx)
	}
	return "", nil
}

// add attaches the cluster's network and then those of the pod. The result is that of the first.
func add(ctx context.Context, settings *config, sandbox *sandbox) (*types100.Result, error) {
	cluster, err := cluster(settings.Kubeconfig)
	if err != nil {
		return nil, err
	}
	pod, err := cluster.pod(sandbox.args)
	if err != nil {
		return nil, err
	}
	network, err := libcni.ConfListFromFile(settings.ClusterNetwork)
	if err != nil {
		return nil, err
	}
	result, err := sandbox.attach(ctx, network, sandbox.first)
	if err != nil {
		return nil, err
	}
	status := []networkStatus{statusOf(network.Name, sandbox.first, "", result)}
	status[0].Default = true
	elements, err := selection(pod)
	if err != nil {
		return nil, err
	}
	devices := &devices{pod: pod}
	for number, element := range elements {
		name := element.Namespace + "/" + element.Name
		network, device, err := cluster.network(element, devices)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		nic := fmt.Sprintf("net%d", number+1)
		result, err := sandbox.attach(ctx, network, nic)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		status = append(status, statusOf(name, nic, device, result))
	}
	return result, cluster.tell(pod, status)
}

func arguments(text string) map[string]string {
	found := map[string]string{}
	for _, pair := range strings.Split(text, ";") {
		if key, value, is := strings.Cut(pair, "="); is {
			found[key] = value
		}
	}
	return found
}
