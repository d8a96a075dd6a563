{{/* Volumes of the pods, and where they are mounted. */}}

{{/* Access to the Kubernetes API, as Kubernetes itself would mount it. */}}
{{- define "linkerd.kube-api-volume" -}}
- name: kube-api-access
  projected:
    defaultMode: 420
    sources:
    - serviceAccountToken:
        expirationSeconds: 3607
        path: token
    - configMap:
        name: kube-root-ca.crt
        items:
        - key: ca.crt
          path: ca.crt
    - downwardAPI:
        items:
        - fieldRef:
            fieldPath: metadata.namespace
          path: namespace
{{- end -}}

{{- define "linkerd.kube-api-mount" -}}
- name: kube-api-access
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end -}}

{{/* What a process needs to get a certificate of the mesh: a token, and the trust anchors. */}}
{{- define "linkerd.identity-volumes" -}}
{{ include "linkerd.trust-roots-volume" . }}
{{- if .Values.identity.serviceAccountTokenProjection }}
- name: linkerd-identity-token
  projected:
    sources:
    - serviceAccountToken:
        path: linkerd-identity-token
        expirationSeconds: 86400
        audience: identity.l5d.io
{{- end }}
{{- end -}}

{{- define "linkerd.identity-mounts" -}}
{{ include "linkerd.trust-roots-mount" . }}
{{- if .Values.identity.serviceAccountTokenProjection }}
- name: linkerd-identity-token
  mountPath: /var/run/secrets/tokens
  readOnly: true
{{- end }}
{{- end -}}

{{- define "linkerd.trust-roots-volume" -}}
- name: trust-roots
  configMap:
    name: linkerd-identity-trust-roots
{{- end -}}

{{- define "linkerd.trust-roots-mount" -}}
- name: trust-roots
  mountPath: /var/run/linkerd/identity/trust-roots
  readOnly: true
{{- end -}}

{{/* Certificate of a webhook. It may appear after the pod's start. Takes name, that of the webhook. */}}
{{- define "linkerd.webhook-volume" -}}
- name: tls
  secret:
    secretName: {{ .name }}-k8s-tls
    optional: true
{{- end -}}

{{- define "linkerd.webhook-mount" -}}
- name: tls
  mountPath: /var/run/linkerd/tls
  readOnly: true
{{- end -}}
