{{/* Parts of the PodMonitors. */}}

{{/* Metadata but for the name. */}}
{{- define "linkerd.pod-monitor-metadata" -}}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "linkerd.labels" . | nindent 2 }}
  {{- with .Values.podMonitor.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- include "linkerd.created-by" . | nindent 2 }}
{{- end -}}

{{/* An endpoint but for its relabelings, which keep the ports that are meant. */}}
{{- define "linkerd.pod-monitor-endpoint" -}}
path: /metrics
interval: {{ .Values.podMonitor.scrapeInterval | quote }}
scrapeTimeout: {{ .Values.podMonitor.scrapeTimeout | quote }}
honorTimestamps: false
{{- end -}}

{{/* Label component: the name of the container. */}}
{{- define "linkerd.pod-monitor-component" -}}
- sourceLabels: [__meta_kubernetes_pod_container_name]
  action: replace
  targetLabel: component
{{- end -}}
