{{/* Value of the label helm.sh/chart, in which a plus sign is not allowed. */}}
{{- define "linkerd-crds.chart" -}}
{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Value of the annotation linkerd.io/created-by. */}}
{{- define "linkerd-crds.created-by" -}}
{{- if eq .Release.Service "CLI" -}}
linkerd/cli {{ .Values.cliVersion | default .Chart.AppVersion }}
{{- else -}}
linkerd/helm {{ (.Values.image | default dict).version | default .Values.linkerdVersion | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
