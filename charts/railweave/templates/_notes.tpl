{{/* What NOTES.txt prints; a template of its own, so that a test can render it without a cluster. */}}
{{- define "railweave.notes" -}}
{{- $c := .Values.spiderpoolController -}}
{{- $name := include "railweave.controller" . -}}
{{ $name }} {{ .Chart.AppVersion }} is installed in namespace {{ .Release.Namespace }}.

  kubectl -n {{ .Release.Namespace }} rollout status deployment/{{ $name }}
{{- if .Values.spiderpoolAgent.install }}
  kubectl -n {{ .Release.Namespace }} rollout status daemonset/{{ include "railweave.agent" . }}
{{- end }}
{{ if $c.podResourceInject.enabled }}
Injection of networks and resources into pods is on. Change who is injected at any time, without a restart:

  kubectl -n {{ .Release.Namespace }} edit configmap {{ .Values.global.configName }}
{{- else }}
Injection of networks and resources into pods is off. To switch it on, without a restart:

  helm upgrade {{ .Release.Name }} CHART -n {{ .Release.Namespace }} --reuse-values --set spiderpoolController.podResourceInject.enabled=true
{{- end }}
{{- $plugins := and .Values.spiderpoolAgent.install .Values.spiderpoolAgent.installPlugins }}
{{- if $plugins }}

The CNI plugins, sriov, ib-sriov, rdma and those of addresses and routes, are put into {{ .Values.global.ipamBinHostPath }} of every node.
{{- end }}
{{- $absent := list -}}
{{- if .Values.sriov.install }}{{ $absent = append $absent "sriov.install: creation of VFs and the SR-IOV device plugin" }}{{ end -}}
{{- if .Values.SriovOperator.install }}{{ $absent = append $absent "SriovOperator.install: creation of VFs and the SR-IOV device plugin" }}{{ end -}}
{{- if and .Values.ibSriovCni.install (not $plugins) }}{{ $absent = append $absent "ibSriovCni.install: the CNI plugin for InfiniBand VFs, as spiderpoolAgent.install or spiderpoolAgent.installPlugins is false" }}{{ end -}}
{{- if .Values.sriovDevicePlugin.resourceName }}{{ $absent = append $absent (printf "sriovDevicePlugin.resourceName=%s: the SR-IOV device plugin" .Values.sriovDevicePlugin.resourceName) }}{{ end -}}
{{- range $flag := list "enabled" "enabledRdmaMetric" "enabledDebugMetric" -}}
{{- if index $.Values.spiderpoolAgent.prometheus $flag }}{{ $absent = append $absent (printf "spiderpoolAgent.prometheus.%s: RDMA metrics of the nodes" $flag) }}{{ end -}}
{{- end -}}
{{- if $absent }}

WITHOUT EFFECT: nothing was installed for these flags. railweave {{ .Chart.AppVersion }} does not contain all components yet; keep running what provides them today.
{{ range $absent }}
  - {{ . }}
{{- end }}
{{- end }}
{{- if .Values.grafanaDashboard.install }}

The Grafana dashboards show admission and addresses; panels on RDMA traffic come with the node component, which does not measure it yet.
{{- end }}
{{- if lt (int $c.replicas) 2 }}

WARNING: with one replica, pods that opted in are refused whenever it restarts. Use two or more.
{{- end }}
{{- if and (eq $c.image.registry "") (eq .Values.global.imageRegistryOverride "") }}

The image {{ include "railweave.image" (dict "root" . "image" $c.image) }} names no registry: it has to be on the nodes already, or set
--set global.imageRegistryOverride=REGISTRY to the registry that holds it.
{{- end }}
{{- end -}}
