{{/* Parts of the Deployments and their pods. */}}

{{/* Number of replicas, and how they are replaced: the start of a Deployment's spec. */}}
{{- define "linkerd.replicas" -}}
replicas: {{ int .Values.controllerReplicas }}
revisionHistoryLimit: {{ int .Values.revisionHistoryLimit }}
{{- with .Values.deploymentStrategy }}
strategy:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Annotations of a component's pods. Takes root and component, and in values the values of the component,
whose annotations win.
*/}}
{{- define "linkerd.pod-annotations" -}}
{{ include "linkerd.created-by" .root }}
cluster-autoscaler.kubernetes.io/safe-to-evict: "true"
{{- with merge (dict) (.values.podAnnotations | default dict) (.root.Values.podAnnotations | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a component's pods besides those of its selector. Takes root. */}}
{{- define "linkerd.pod-labels" -}}
linkerd.io/workload-ns: {{ .root.Release.Namespace | quote }}
{{- with .root.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What all pods share. Takes root, component and account. */}}
{{- define "linkerd.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
{{ toYaml . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if or .root.Values.nodeAffinity .root.Values.enablePodAntiAffinity }}
affinity:
  {{- with .root.Values.nodeAffinity }}
  nodeAffinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .root.Values.enablePodAntiAffinity }}
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
    - labelSelector:
        matchLabels:
          linkerd.io/control-plane-component: {{ .component }}
      topologyKey: kubernetes.io/hostname
    preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        labelSelector:
          matchLabels:
            linkerd.io/control-plane-component: {{ .component }}
        topologyKey: topology.kubernetes.io/zone
  {{- end }}
{{- end }}
{{- end -}}

{{/*
Image and security context of a component's container. Takes root, image (its default name) and values.
*/}}
{{- define "linkerd.container" -}}
{{- $image := .values.image | default dict -}}
{{- $name := $image.name | default (printf "%s/%s" (.root.Values.imageRegistry | trimSuffix "/") .image) -}}
{{- $version := $image.version | default .root.Values.controllerImageVersion | default .root.Values.linkerdVersion -}}
image: {{ printf "%s:%s" $name (toString $version) | quote }}
imagePullPolicy: {{ $image.pullPolicy | default .root.Values.imagePullPolicy | quote }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
    - ALL
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: {{ int .root.Values.controllerUID }}
  {{- if ge (int .root.Values.controllerGID) 0 }}
  runAsGroup: {{ int .root.Values.controllerGID }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* The flags that every component takes. */}}
{{- define "linkerd.log-args" -}}
- {{ printf "--log-level=%s" .Values.controllerLogLevel | quote }}
- {{ printf "--log-format=%s" .Values.controllerLogFormat | quote }}
{{- end -}}

{{/* Flags that the user adds. Takes values. */}}
{{- define "linkerd.additional-args" -}}
{{- with concat (.values.additionalArgs | default list) (.values.experimentalArgs | default list) -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* Environment of a component: the pod's name, as the holder of leases, and what the user adds. Takes values. */}}
{{- define "linkerd.env" -}}
env:
- name: HOSTNAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- with .values.additionalEnv }}
{{ toYaml . }}
{{- end }}
{{- with .values.experimentalEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Probes of a component. Takes port, the name of its admin port, and values. */}}
{{- define "linkerd.probes" -}}
livenessProbe:
  httpGet:
    path: /live
    port: {{ .port }}
  initialDelaySeconds: 10
  timeoutSeconds: {{ int ((.values.livenessProbe | default dict).timeoutSeconds | default 1) }}
readinessProbe:
  httpGet:
    path: /ready
    port: {{ .port }}
  failureThreshold: 7
  timeoutSeconds: {{ int ((.values.readinessProbe | default dict).timeoutSeconds | default 1) }}
{{- end -}}

{{/* Requests and limits, from {cpu: {request, limit}, memory: …, ephemeral-storage: …}. */}}
{{- define "linkerd.resources" -}}
{{- $requests := dict -}}
{{- $limits := dict -}}
{{- $resources := . | default dict -}}
{{- range list "cpu" "memory" "ephemeral-storage" -}}
{{- $bounds := get $resources . | default dict -}}
{{- if $bounds.request }}{{ $requests = set $requests . (toString $bounds.request) }}{{ end -}}
{{- if $bounds.limit }}{{ $limits = set $limits . (toString $bounds.limit) }}{{ end -}}
{{- end -}}
{{- if or $requests $limits -}}
resources:
  {{- with $requests }}
  requests:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $limits }}
  limits:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Budget of how many of a component's pods may be evicted at once. Takes root, component and name. */}}
{{- define "linkerd.disruption-budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "linkerd.component-labels" . | nindent 4 }}
  annotations:
    {{- include "linkerd.created-by" .root | nindent 4 }}
spec:
  maxUnavailable: {{ .root.Values.controller.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      linkerd.io/control-plane-component: {{ .component }}
{{- end -}}
