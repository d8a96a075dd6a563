{{/* Values of other charts that have no effect here, a line each. What is off anyway is not worth a line. */}}
{{- define "linkerd.ignored" -}}
{{- range list "identityProxyResources" "destinationProxyResources" "proxyInjectorProxyResources" -}}
{{- if get $.Values . }}- {{ . }}: pods of the control plane have no proxy
{{ end -}}
{{- end -}}
{{- if .Values.proxyInit.kubeAPIServerPorts }}- proxyInit.kubeAPIServerPorts: pods of the control plane have no proxy
{{ end -}}
{{- range list "heartbeatSchedule" "heartbeatResources" "heartbeat" "prometheusUrl" -}}
{{- if get $.Values . }}- {{ . }}: there is no heartbeat
{{ end -}}
{{- end -}}
{{- if eq (toString .Values.enableEndpointSlices) "false" }}- enableEndpointSlices: EndpointSlices are always read
{{ end -}}
{{- if .Values.enablePprof }}- enablePprof: there are no such profiles; metrics are at /metrics of the admin ports
{{ end -}}
{{- if or .Values.kubeAPI .Values.identity.kubeAPI }}- kubeAPI: requests to the Kubernetes API are not throttled by the client
{{ end -}}
{{- if (.Values.controller.tracing | default dict).enabled }}- controller.tracing: the control plane exports no traces
{{ end -}}
{{- end -}}
