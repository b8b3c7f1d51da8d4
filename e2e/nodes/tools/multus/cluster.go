package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// server is an API server and who we are there.
type server struct {
	url, token string
	client     *http.Client
}

// object is what is read of pods and definitions.
type object struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Config string `json:"config"`
	} `json:"spec"`
}

// cluster reads a kubeconfig in JSON with one cluster, and a user with a token.
func cluster(kubeconfig string) (*server, error) {
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, fmt.Errorf("%s has not one cluster and one user", kubeconfig)
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(config.Clusters[0].Cluster.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	return &server{config.Clusters[0].Cluster.Server, config.Users[0].User.Token, client}, nil
}

func (s *server) call(method, path string, sent, received any) error {
	body, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, received)
}

// pod is the pod that the runtime's arguments name; another one under its name is none.
func (s *server) pod(args map[string]string) (*object, error) {
	pod := &object{}
	path := "/api/v1/namespaces/" + args["K8S_POD_NAMESPACE"] + "/pods/" + args["K8S_POD_NAME"]
	if err := s.call(http.MethodGet, path, nil, pod); err != nil {
		return nil, err
	}
	if uid := args["K8S_POD_UID"]; uid != pod.Metadata.UID {
		return nil, fmt.Errorf("pod %s/%s has UID %s, not %s", pod.Metadata.Namespace, pod.Metadata.Name, pod.Metadata.UID, uid)
	}
	return pod, nil
}

// tell writes the annotation of the pod.
func (s *server) tell(pod *object, status []networkStatus) error {
	text, err := json.MarshalIndent(status, "", "    ")
	if err != nil {
		return err
	}
	annotations := map[string]any{"annotations": map[string]string{"k8s.v1.cni.cncf.io/network-status": string(text)}}
	path := "/api/v1/namespaces/" + pod.Metadata.Namespace + "/pods/" + pod.Metadata.Name + "/status"
	return s.call(http.MethodPatch, path, map[string]any{"metadata": annotations}, &object{})
}
