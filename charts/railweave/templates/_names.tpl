{{/* Name of the controller's objects. */}}
{{- define "railweave.controller" -}}
{{- default (printf "%s-controller" .Release.Name) .Values.spiderpoolController.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the agent's objects. */}}
{{- define "railweave.agent" -}}
{{- default (printf "%s-agent" .Release.Name) .Values.spiderpoolAgent.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select the pods of a component; never change them, selectors are immutable. Takes root and component. */}}
{{- define "railweave.selectorLabelsOf" -}}
app.kubernetes.io/name: railweave
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels that select the controller's pods. */}}
{{- define "railweave.selectorLabels" -}}
{{ include "railweave.selectorLabelsOf" (dict "root" . "component" (include "railweave.controller" .)) }}
{{- end -}}

{{/* Takes root and component. */}}
{{- define "railweave.labels" -}}
{{ include "railweave.selectorLabelsOf" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
  The inside of an object's "metadata". Takes root and, where they differ from the usual, component, name, namespace,
  clusterScoped, labels and annotations. An object has the name of its component, the controller.
*/}}
{{- define "railweave.metadata" -}}
{{- $component := default (include "railweave.controller" .root) .component -}}
name: {{ default $component .name }}
{{- if not .clusterScoped }}
namespace: {{ default .root.Release.Namespace .namespace }}
{{- end }}
labels:
  {{- include "railweave.labels" (dict "root" .root "component" $component) | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with mergeOverwrite (dict) .root.Values.global.commonAnnotations (default (dict) .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* registry/repository:tag, or @digest. Takes root and image. */}}
{{- define "railweave.image" -}}
{{- $image := .image -}}
{{- $registry := default $image.registry .root.Values.global.imageRegistryOverride -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ default .root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* Whether the certificate comes as files from a Secret: "true" or nothing. */}}
{{- define "railweave.certificateFiles" -}}
{{- if ne .Values.spiderpoolController.tls.method "auto" }}true{{ end -}}
{{- end -}}
