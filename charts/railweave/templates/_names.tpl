{{/* Name of the controller's objects. */}}
{{- define "railweave.controller" -}}
{{- default (printf "%s-controller" .Release.Name) .Values.spiderpoolController.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select the controller's pods; never change them, selectors are immutable. */}}
{{- define "railweave.selectorLabels" -}}
app.kubernetes.io/name: railweave
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ include "railweave.controller" . }}
{{- end -}}

{{- define "railweave.labels" -}}
{{ include "railweave.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
  The inside of an object's "metadata". Takes root and, where they differ from the usual, name, namespace,
  clusterScoped, labels and annotations.
*/}}
{{- define "railweave.metadata" -}}
name: {{ default (include "railweave.controller" .root) .name }}
{{- if not .clusterScoped }}
namespace: {{ default .root.Release.Namespace .namespace }}
{{- end }}
labels:
  {{- include "railweave.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (dict) .root.Values.global.commonAnnotations (default (dict) .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* registry/repository:tag, or @digest. */}}
{{- define "railweave.image" -}}
{{- $image := .Values.spiderpoolController.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistryOverride -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* Whether the certificate comes as files from a Secret: "true" or nothing. */}}
{{- define "railweave.certificateFiles" -}}
{{- if ne .Values.spiderpoolController.tls.method "auto" }}true{{ end -}}
{{- end -}}
