// A webhook as small as Go allows: decodes the review into maps and answers with a constant patch that gives a
// pod eight networks and eight resources. Measurements compare railweave with it; nothing else uses it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
)

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func patch() []byte {
	networks := make([]map[string]string, 8)
	resources := map[string]string{}
	for rail := range networks {
		networks[rail] = map[string]string{"name": fmt.Sprintf("gpu%d-sriov", rail+1), "namespace": "spiderpool"}
		resources[fmt.Sprintf("spidernet.io/gpu%dsriov", rail+1)] = "1"
	}
	list, err := json.Marshal(networks)
	if err != nil {
		log.Fatal(err)
	}
	operations, err := json.Marshal([]operation{
		{"add", "/metadata/annotations", map[string]string{"k8s.v1.cni.cncf.io/networks": string(list)}},
		{"add", "/metadata/labels", map[string]string{"railweave.io/rails": "8"}},
		{"add", "/spec/containers/0/resources", map[string]any{"limits": resources, "requests": resources}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return operations
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	certificate := flag.String("cert", "tls.crt", "certificate, PEM")
	key := flag.String("key", "tls.key", "key, PEM")
	flag.Parse()
	operations := patch()
	http.HandleFunc("/mutate", func(w http.ResponseWriter, r *http.Request) {
		var review map[string]any
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		request, _ := review["request"].(map[string]any)
		w.Header().Set("Content-Type", "application/json")
		answer := map[string]any{
			"apiVersion": "admission.k8s.io/v1",
			"kind":       "AdmissionReview",
			"response": map[string]any{
				"uid": request["uid"], "allowed": true, "patchType": "JSONPatch", "patch": operations,
			},
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServeTLS(*listen, *certificate, *key, nil))
}
