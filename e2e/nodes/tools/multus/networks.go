package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"
)

// element is one of the annotation's, as far as it is read here.
type element struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// networkStatus is one entry of the annotation that tells of attachments.
type networkStatus struct {
	Name       string      `json:"name"`
	Interface  string      `json:"interface"`
	IPs        []string    `json:"ips"`
	Mac        string      `json:"mac"`
	Default    bool        `json:"default,omitempty"`
	DNS        struct{}    `json:"dns"`
	DeviceInfo *deviceInfo `json:"device-info,omitempty"`
}

type deviceInfo struct {
	Type    string            `json:"type"`
	Version string            `json:"version"`
	PCI     map[string]string `json:"pci"`
}

// selection is the pod's annotation: JSON, or NAMESPACE/NAME with commas.
func selection(pod *object) (found []element, err error) {
	text := strings.TrimSpace(pod.Metadata.Annotations["k8s.v1.cni.cncf.io/networks"])
	switch {
	case text == "":
	case strings.HasPrefix(text, "["):
		err = json.Unmarshal([]byte(text), &found)
	default:
		for _, word := range strings.Split(text, ",") {
			namespace, name, both := strings.Cut(strings.TrimSpace(word), "/")
			if !both {
				namespace, name = "", namespace
			}
			found = append(found, element{name, namespace})
		}
	}
	for at := range found {
		if found[at].Namespace == "" {
			found[at].Namespace = pod.Metadata.Namespace
		}
	}
	return found, err
}

// network reads a definition, and puts the device in that the pod has for it.
func (s *server) network(element element, devices *devices) (*libcni.NetworkConfigList, string, error) {
	definition := &object{}
	path := "/apis/k8s.cni.cncf.io/v1/namespaces/" + element.Namespace + "/network-attachment-definitions/" + element.Name
	if err := s.call(http.MethodGet, path, nil, definition); err != nil {
		return nil, "", err
	}
	list := map[string]any{}
	if err := json.Unmarshal([]byte(definition.Spec.Config), &list); err != nil {
		return nil, "", err
	}
	plugins, is := list["plugins"].([]any)
	if !is || len(plugins) == 0 {
		return nil, "", fmt.Errorf("its config is no list of plugins")
	}
	device := ""
	if resource := definition.Metadata.Annotations["k8s.v1.cni.cncf.io/resourceName"]; resource != "" {
		next, err := devices.next(resource)
		if err != nil {
			return nil, "", err
		}
		device = next
		first := plugins[0].(map[string]any)
		first["deviceID"], first["pciBusID"] = device, device
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, "", err
	}
	network, err := libcni.ConfListFromBytes(text)
	return network, device, err
}

// devices hands out what the kubelet gave the pod, in the kubelet's order.
type devices struct {
	pod  *object
	left map[string][]string
}

func (d *devices) next(resource string) (string, error) {
	if d.left == nil {
		given, err := given(d.pod)
		if err != nil {
			return "", err
		}
		d.left = given
	}
	if len(d.left[resource]) == 0 {
		return "", fmt.Errorf("the kubelet gave the pod no more devices of %s", resource)
	}
	device := d.left[resource][0]
	d.left[resource] = d.left[resource][1:]
	return device, nil
}

func given(pod *object) (map[string][]string, error) {
	connection, err := grpc.NewClient("unix:///var/lib/kubelet/pod-resources/kubelet.sock",
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	asked := &podresources.GetPodResourcesRequest{PodNamespace: pod.Metadata.Namespace, PodName: pod.Metadata.Name}
	answer, err := podresources.NewPodResourcesListerClient(connection).Get(ctx, asked)
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, container := range answer.GetPodResources().GetContainers() {
		for _, devices := range container.GetDevices() {
			found[devices.ResourceName] = append(found[devices.ResourceName], devices.DeviceIds...)
		}
	}
	return found, nil
}

func statusOf(name, nic, device string, result *types100.Result) networkStatus {
	status := networkStatus{Name: name, Interface: nic}
	for _, ip := range result.IPs {
		status.IPs = append(status.IPs, ip.Address.IP.String())
	}
	for _, link := range result.Interfaces {
		if link.Sandbox != "" {
			status.Mac = link.Mac
		}
	}
	if device != "" {
		status.DeviceInfo = &deviceInfo{"pci", "1.1.0", map[string]string{"pci-address": device}}
	}
	return status
}
