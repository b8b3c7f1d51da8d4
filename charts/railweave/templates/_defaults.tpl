{{/* Manifests of the objects that an installation begins with. */}}
{{- define "railweave.defaults" -}}
{{- with .Values.coordinator }}
{{- if .enabled }}
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderCoordinator
metadata:
  name: default
spec:
  mode: {{ .mode }}
  podCIDRType: {{ .podCIDRType }}
  tunePodRoutes: {{ .tunePodRoutes }}
  hijackCIDR: {{ toJson .hijackCIDR }}
  {{- range $field := list "podMACPrefix" "podDefaultRouteNIC" "vethLinkAddress" }}
  {{- with index $.Values.coordinator $field }}
  {{ $field }}: {{ toJson . }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- $pool := .Values.clusterDefaultPool }}
{{- range $version := list 4 6 }}
{{- if index $pool (printf "installIPv%dIPPool" $version) }}
{{- $given := dict }}
{{- range $field := list "IPPoolName" "SubnetName" "Subnet" "IPRanges" "Gateway" }}
{{- $_ := set $given $field (index $pool (printf "ipv%d%s" $version $field)) }}
{{- end }}
{{- if not $given.Subnet }}
{{- fail (printf "clusterDefaultPool.installIPv%dIPPool needs clusterDefaultPool.ipv%dSubnet" $version $version) }}
{{- end }}
{{- $kinds := dict "SpiderIPPool" $given.IPPoolName }}
{{- if $.Values.ipam.spiderSubnet.enable }}{{ $_ := set $kinds "SpiderSubnet" $given.SubnetName }}{{ end }}
{{- range $kind := list "SpiderSubnet" "SpiderIPPool" }}
{{- with index $kinds $kind }}
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: {{ $kind }}
metadata:
  name: {{ . }}
spec:
  ipVersion: {{ $version }}
  subnet: {{ toJson $given.Subnet }}
  ips: {{ toJson $given.IPRanges }}
  {{- with $given.Gateway }}
  gateway: {{ toJson . }}
  {{- end }}
  {{- if eq $kind "SpiderIPPool" }}
  default: true
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
