{{/*
Parts of the admission webhooks. Each takes root, name (of the Service, such as linkerd-proxy-injector), key
(of the values, such as proxyInjector) and values.
*/}}

{{/* Non-empty when the control plane issues the certificate itself. */}}
{{- define "linkerd.webhook-self-managed" -}}
{{- if not (or .values.externalSecret .values.crtPEM) }}true{{ end -}}
{{- end -}}

{{/* Where the process takes the certificate from. */}}
{{- define "linkerd.webhook-args" -}}
{{- if include "linkerd.webhook-self-managed" . -}}
- {{ printf "--webhook-service=%s" .name | quote }}
{{- else -}}
- "--tls-dir=/var/run/linkerd/tls"
{{- end -}}
{{- end -}}

{{/* Refuses values that contradict each other. */}}
{{- define "linkerd.webhook-checks" -}}
{{- $from := .values.injectCaFrom | default .values.injectCaFromSecret -}}
{{- if and .values.injectCaFrom .values.injectCaFromSecret -}}
{{- fail (printf "%s: give injectCaFrom or injectCaFromSecret, not both" .key) -}}
{{- else if and $from .values.caBundle -}}
{{- fail (printf "%s: give caBundle, or let injectCaFrom or injectCaFromSecret fill it in, not both" .key) -}}
{{- else if and $from (not .values.externalSecret) -}}
{{- fail (printf "%s: injectCaFrom and injectCaFromSecret are for a certificate that something else issues; set externalSecret too" .key) -}}
{{- else if and .values.externalSecret (not (or $from .values.caBundle)) -}}
{{- fail (printf "%s: with externalSecret, give caBundle, injectCaFrom or injectCaFromSecret" .key) -}}
{{- else if and .values.externalSecret (or .values.crtPEM .values.keyPEM) -}}
{{- fail (printf "%s: give externalSecret, or crtPEM and keyPEM, not both" .key) -}}
{{- else if and .values.crtPEM (not .values.keyPEM) -}}
{{- fail (printf "%s: crtPEM needs its key in keyPEM" .key) -}}
{{- else if and .values.keyPEM (not .values.crtPEM) -}}
{{- fail (printf "%s: keyPEM needs its certificate in crtPEM" .key) -}}
{{- else if and .values.caBundle (not (or .values.externalSecret .values.crtPEM)) -}}
{{- fail (printf "%s: caBundle needs crtPEM and keyPEM, or externalSecret; without them the control plane issues the certificate itself" .key) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate, if it is in the values. */}}
{{- define "linkerd.webhook-secret" -}}
{{- if .values.crtPEM }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}-k8s-tls
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "linkerd.component-labels" . | nindent 4 }}
  annotations:
    {{- include "linkerd.created-by" .root | nindent 4 }}
type: kubernetes.io/tls
data:
  tls.crt: {{ .values.crtPEM | trim | b64enc | quote }}
  tls.key: {{ .values.keyPEM | trim | b64enc | quote }}
{{- end }}
{{- end -}}

{{/* Metadata of the webhook configuration. */}}
{{- define "linkerd.webhook-metadata" -}}
name: {{ .name }}-webhook-config
labels:
  {{- include "linkerd.component-labels" . | nindent 2 }}
{{- if .values.injectCaFrom }}
annotations:
  cert-manager.io/inject-ca-from: {{ .values.injectCaFrom | quote }}
{{- else if .values.injectCaFromSecret }}
annotations:
  cert-manager.io/inject-ca-from-secret: {{ .values.injectCaFromSecret | quote }}
{{- end }}
{{- end -}}

{{/* The webhook, but for its rules and the selector of objects. */}}
{{- define "linkerd.webhook" -}}
name: {{ .name }}.linkerd.io
{{- with .values.namespaceSelector }}
namespaceSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
clientConfig:
  service:
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace | quote }}
    path: "/"
  {{- with .values.caBundle | default .values.crtPEM }}
  caBundle: {{ . | trim | b64enc | quote }}
  {{- end }}
failurePolicy: {{ .root.Values.webhookFailurePolicy | quote }}
admissionReviewVersions: ["v1", "v1beta1"]
sideEffects: None
{{- end -}}

{{/*
Rights to issue the certificate: the Secret, by name but for its creation, for which Kubernetes knows no names.
*/}}
{{- define "linkerd.webhook-secret-rules" -}}
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["create"]
- apiGroups: [""]
  resources: ["secrets"]
  resourceNames: [{{ printf "%s-k8s-tls" .name | quote }}]
  verbs: ["get", "list", "watch", "update"]
{{- end -}}

{{/* Rights to write the certificate authority into the webhook configuration. Takes resource too. */}}
{{- define "linkerd.webhook-configuration-rules" -}}
- apiGroups: ["admissionregistration.k8s.io"]
  resources: [{{ .resource | quote }}]
  resourceNames: [{{ printf "%s-webhook-config" .name | quote }}]
  verbs: ["get", "list", "watch", "patch"]
{{- end -}}
