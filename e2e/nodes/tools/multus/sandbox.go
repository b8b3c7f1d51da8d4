package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// sandbox is a pod as the runtime knows it.
type sandbox struct {
	id, netns, first string
	args             map[string]string
	notes            string
	cni              *libcni.CNIConfig
}

// attachment is what a DEL needs of one that was made.
type attachment struct {
	Interface string          `json:"interface"`
	Network   json.RawMessage `json:"network"`
}

// attach notes the network before it attaches it, so that a DEL also finds the one that failed.
func (s *sandbox) attach(ctx context.Context, network *libcni.NetworkConfigList, nic string) (*types100.Result, error) {
	if err := s.note(append(s.noted(), attachment{nic, network.Bytes})); err != nil {
		return nil, err
	}
	result, err := s.cni.AddNetworkList(ctx, network, s.runtime(nic))
	if err != nil {
		return nil, withCode(err)
	}
	return types100.NewResultFromResult(result)
}

// withCode tells what the text of a plugin's error leaves out.
func withCode(err error) error {
	told := &types.Error{}
	if errors.As(err, &told) {
		return fmt.Errorf("code %d: %w", told.Code, err)
	}
	return err
}

// detach goes on after an error; what is left stays noted, for the runtime tries again.
func (s *sandbox) detach(ctx context.Context) error {
	noted := s.noted()
	var left []attachment
	var failed error
	for last := len(noted) - 1; last >= 0; last-- {
		network, err := libcni.ConfListFromBytes(noted[last].Network)
		if err == nil {
			err = s.cni.DelNetworkList(ctx, network, s.runtime(noted[last].Interface))
		}
		if err != nil {
			failed = errors.Join(failed, err)
			left = append([]attachment{noted[last]}, left...)
		}
	}
	if failed != nil {
		return errors.Join(failed, s.note(left))
	}
	if err := os.Remove(s.notes); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (s *sandbox) runtime(nic string) *libcni.RuntimeConf {
	arguments := [][2]string{{"IgnoreUnknown", "true"}}
	for _, key := range []string{"K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_INFRA_CONTAINER_ID", "K8S_POD_UID"} {
		arguments = append(arguments, [2]string{key, s.args[key]})
	}
	return &libcni.RuntimeConf{ContainerID: s.id, NetNS: s.netns, IfName: nic, Args: arguments}
}

func (s *sandbox) noted() (found []attachment) {
	if text, err := os.ReadFile(s.notes); err == nil {
		json.Unmarshal(text, &found)
	}
	return found
}

func (s *sandbox) note(attachments []attachment) error {
	text, err := json.Marshal(attachments)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.notes), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(s.notes+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.notes+".new", s.notes)
}
