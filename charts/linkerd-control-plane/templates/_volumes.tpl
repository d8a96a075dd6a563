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

{{/* Where the token is. */}}
{{- define "linkerd.identity-token-file" -}}
{{- if .Values.identity.serviceAccountTokenProjection -}}
/var/run/secrets/tokens/linkerd-identity-token
{{- else -}}
/var/run/secrets/kubernetes.io/serviceaccount/token
{{- end -}}
{{- end -}}

{{/* How a process gets its certificate. Takes root and account. */}}
{{- define "linkerd.own-identity-args" -}}
- {{ printf "--identity-svc-addr=linkerd-identity.%s.svc.%s.:8080" .root.Release.Namespace .root.Values.clusterDomain | quote }}
- {{ printf "--service-account=%s" .account | quote }}
- {{ printf "--identity-token=%s" (include "linkerd.identity-token-file" .root) | quote }}
- "--identity-trust-anchors=/var/run/linkerd/identity/trust-roots/ca-bundle.crt"
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

{{/*
Certificate of a webhook that somebody else issues. It may appear after the pod's start. Takes name, that of
the webhook, and values.
*/}}
{{- define "linkerd.webhook-volume" -}}
{{- if not (include "linkerd.webhook-self-managed" .) -}}
- name: tls
  secret:
    secretName: {{ .name }}-k8s-tls
    optional: true
{{- end -}}
{{- end -}}

{{- define "linkerd.webhook-mount" -}}
{{- if not (include "linkerd.webhook-self-managed" .) -}}
- name: tls
  mountPath: /var/run/linkerd/tls
  readOnly: true
{{- end -}}
{{- end -}}
