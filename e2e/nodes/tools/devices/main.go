// devices stands in for a device plugin in tests, and for nothing else: it offers the virtual functions of ports to the
// kubelet, by PCI address.
//
//	devices RESOURCE=PORT...
//
// A container that gets one is given its RDMA device by CDI, as docs/cni.md asks for: Allocate answers with
// railweave.io/rdma=ADDRESS and puts a specification in place with the files of that moment. While there is a file
// /run/devices-by-number, it names the files themselves instead, as device plugins do that know nothing of CDI.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	folder         = "/var/lib/kubelet/device-plugins"
	specifications = "/var/run/cdi"
	byNumber       = "/run/devices-by-number"
)

func main() {
	for _, argument := range os.Args[1:] {
		resource, port, is := strings.Cut(argument, "=")
		if !is {
			log.Fatalf("%s is not RESOURCE=PORT", argument)
		}
		go (&plugin{resource: resource, port: port}).serve()
	}
	select {}
}

type plugin struct {
	api.UnimplementedDevicePluginServer
	resource, port string
}

// serve registers with each kubelet that comes. One that starts empties the folder, so that our socket tells when.
func (p *plugin) serve() {
	socket := filepath.Join(folder, strings.ReplaceAll(p.resource, "/", "_")+".sock")
	for ; ; time.Sleep(200 * time.Millisecond) {
		if !exists(folder+"/kubelet.sock") || exists(socket) {
			continue
		}
		listener, err := net.Listen("unix", socket)
		if err != nil {
			log.Printf("%s: %v", p.resource, err)
			continue
		}
		server := grpc.NewServer()
		api.RegisterDevicePluginServer(server, p)
		go server.Serve(listener)
		for err = p.register(socket); err != nil && exists(socket); err = p.register(socket) {
			log.Printf("%s: %v", p.resource, err)
			time.Sleep(200 * time.Millisecond)
		}
		for exists(socket) {
			time.Sleep(200 * time.Millisecond)
		}
		server.Stop()
	}
}

func (p *plugin) register(socket string) error {
	connection, err := grpc.NewClient("unix://"+folder+"/kubelet.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = api.NewRegistrationClient(connection).Register(ctx, &api.RegisterRequest{
		Version: api.Version, Endpoint: filepath.Base(socket), ResourceName: p.resource,
	})
	return err
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// ListAndWatch tells the functions of the port once: they do not change here.
func (p *plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	links, err := filepath.Glob("/sys/class/net/" + p.port + "/device/virtfn*")
	if err != nil {
		return err
	}
	answer := &api.ListAndWatchResponse{}
	for _, link := range links {
		address, err := os.Readlink(link)
		if err != nil {
			return err
		}
		answer.Devices = append(answer.Devices, &api.Device{ID: filepath.Base(address), Health: api.Healthy})
	}
	if err := stream.Send(answer); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	answer := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		given := &api.ContainerAllocateResponse{}
		for _, address := range container.DevicesIds {
			if err := give(given, address); err != nil {
				return nil, err
			}
		}
		log.Printf("%s: %v", p.resource, given)
		answer.ContainerResponses = append(answer.ContainerResponses, given)
	}
	return answer, nil
}

func give(given *api.ContainerAllocateResponse, address string) error {
	files := files(address)
	specification := filepath.Join(specifications, "railweave.io-rdma_"+address+".json")
	if exists(byNumber) {
		for _, file := range files {
			given.Devices = append(given.Devices, &api.DeviceSpec{HostPath: file, ContainerPath: file, Permissions: "rw"})
		}
		if err := os.Remove(specification); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	given.CdiDevices = append(given.CdiDevices, &api.CDIDevice{Name: "railweave.io/rdma=" + address})
	var nodes []map[string]string
	for _, file := range files {
		nodes = append(nodes, map[string]string{"path": file})
	}
	edits := map[string]any{"deviceNodes": nodes}
	text, err := json.Marshal(map[string]any{
		"cdiVersion": "0.5.0", "kind": "railweave.io/rdma",
		"devices": []any{map[string]any{"name": address, "containerEdits": edits}},
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(specifications, 0o755); err != nil {
		return err
	}
	// In one step, for the runtime watches the folder.
	if err := os.WriteFile(specification+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(specification+".new", specification)
}

// files of a function's RDMA device, with the numbers of the moment.
func files(address string) []string {
	var found []string
	for _, kind := range []string{"infiniband_verbs", "infiniband_mad"} {
		names, _ := filepath.Glob(fmt.Sprintf("/sys/bus/pci/devices/%s/%s/*", address, kind))
		for _, name := range names {
			found = append(found, "/dev/infiniband/"+filepath.Base(name))
		}
	}
	sort.Strings(found)
	return append(found, "/dev/infiniband/rdma_cm")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
