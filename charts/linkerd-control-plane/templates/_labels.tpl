{{/*
Labels, annotations and names.

The templates are rendered by Helm and by `linkerd install`, so they use what both do alike:
- functions only from cli/src/install/template/functions.rs;
- no .Capabilities, .Files, .Template or lookup;
- maps are never changed in place: use what set, unset and omit return;
- a number from a file of values is not a number everywhere: convert it with int before it is printed or compared;
- every text that comes from values is quoted.
*/}}

{{/* Labels of every object. */}}
{{- define "linkerd.labels" -}}
linkerd.io/control-plane-ns: {{ .Release.Namespace | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of an object of a component. Takes root and component. */}}
{{- define "linkerd.component-labels" -}}
linkerd.io/control-plane-component: {{ .component }}
{{ include "linkerd.labels" .root }}
{{- end -}}

{{/* Labels of a Deployment. Takes root and component. */}}
{{- define "linkerd.workload-labels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/part-of: Linkerd
app.kubernetes.io/version: {{ .root.Values.linkerdVersion | quote }}
{{ include "linkerd.component-labels" . }}
{{- end -}}

{{/* Annotation that says who made an object. */}}
{{- define "linkerd.created-by" -}}
{{- if eq .Release.Service "CLI" -}}
linkerd.io/created-by: {{ printf "linkerd/cli %s" .Values.linkerdVersion | quote }}
{{- else -}}
linkerd.io/created-by: {{ printf "linkerd/helm %s" ((.Values.image | default dict).version | default .Values.linkerdVersion) | quote }}
{{- end -}}
{{- end -}}

{{/* Trust domain of identities. */}}
{{- define "linkerd.trust-domain" -}}
{{ .Values.identityTrustDomain | default .Values.clusterDomain }}
{{- end -}}

{{/* Service account of a component, with what is needed to pull images. Takes root, component and name. */}}
{{- define "linkerd.service-account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "linkerd.component-labels" . | nindent 4 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
Binding of a role to a service account. Takes root, component, kind (ClusterRole or Role), role, name and
account.
*/}}
{{- define "linkerd.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name | default .role | quote }}
  {{- if eq .kind "Role" }}
  namespace: {{ .root.Release.Namespace | quote }}
  {{- end }}
  labels:
    {{- include "linkerd.component-labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .role | quote }}
subjects:
- kind: ServiceAccount
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace | quote }}
{{- end -}}
