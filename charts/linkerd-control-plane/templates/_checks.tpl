{{/* Refuses values that cannot work. */}}
{{- define "linkerd.checks" -}}
{{- include "linkerd.checks.removed" . -}}
{{- include "linkerd.checks.identity" . -}}
{{- include "linkerd.checks.proxy" . -}}
{{- if not (has .Values.webhookFailurePolicy (list "Ignore" "Fail")) -}}
{{- fail (printf "webhookFailurePolicy must be Ignore or Fail, not %q" .Values.webhookFailurePolicy) -}}
{{- end -}}
{{- end -}}

{{/* Values of other charts for what is done differently here. */}}
{{- define "linkerd.checks.removed" -}}
{{- if .Values.controllerImage -}}
{{- fail "controllerImage: there is no image for all components; set imageRegistry, or image.name of a component such as destinationController" -}}
{{- end -}}
{{- if .Values.enablePSP -}}
{{- fail "enablePSP: Kubernetes has no PodSecurityPolicies since 1.25; the pods conform to the Pod Security standard restricted" -}}
{{- end -}}
{{- end -}}

{{- define "linkerd.checks.identity" -}}
{{- if not (or .Values.identity.externalCA (trim .Values.identityTrustAnchorsPEM)) -}}
{{- fail "identityTrustAnchorsPEM: give the trust anchors in PEM, or set identity.externalCA if something else maintains the ConfigMap linkerd-identity-trust-roots" -}}
{{- end -}}
{{- $scheme := .Values.identity.issuer.scheme -}}
{{- $tls := .Values.identity.issuer.tls | default dict -}}
{{- if eq $scheme "linkerd.io/tls" -}}
{{- if not (and (trim ($tls.crtPEM | default "")) (trim ($tls.keyPEM | default ""))) -}}
{{- fail "identity.issuer.tls: give crtPEM and keyPEM, or set identity.issuer.scheme=kubernetes.io/tls if something else makes the Secret linkerd-identity-issuer" -}}
{{- end -}}
{{- else if ne $scheme "kubernetes.io/tls" -}}
{{- fail (printf "identity.issuer.scheme must be linkerd.io/tls or kubernetes.io/tls, not %q" $scheme) -}}
{{- else if or $tls.crtPEM $tls.keyPEM -}}
{{- fail "identity.issuer.tls: with identity.issuer.scheme=kubernetes.io/tls something else makes the Secret linkerd-identity-issuer; remove crtPEM and keyPEM" -}}
{{- end -}}
{{- end -}}

{{- define "linkerd.checks.proxy" -}}
{{- $proxy := .Values.proxy -}}
{{- $policies := list "all-unauthenticated" "all-authenticated" "cluster-unauthenticated" "cluster-authenticated" "deny" "audit" -}}
{{- if not (has $proxy.defaultInboundPolicy $policies) -}}
{{- fail (printf "proxy.defaultInboundPolicy must be one of %s, not %q" (join ", " $policies) $proxy.defaultInboundPolicy) -}}
{{- end -}}
{{- if not .Values.clusterNetworks -}}
{{- fail "clusterNetworks is empty: proxies would look up no address" -}}
{{- end -}}
{{- if not (has ($proxy.logHTTPHeaders | default "off") (list "off" "insecure")) -}}
{{- fail (printf "proxy.logHTTPHeaders must be off or insecure, not %q" (toString $proxy.logHTTPHeaders)) -}}
{{- end -}}
{{- if not (has .Values.proxyInit.iptablesMode (list "nft" "legacy")) -}}
{{- fail (printf "proxyInit.iptablesMode must be nft or legacy, not %q" .Values.proxyInit.iptablesMode) -}}
{{- end -}}
{{- if and (gt (int .Values.proxyInit.closeWaitTimeoutSecs) 0) (not .Values.proxyInit.runAsRoot) -}}
{{- fail "proxyInit.closeWaitTimeoutSecs needs proxyInit.runAsRoot=true" -}}
{{- end -}}
{{- if $proxy.tracing.enabled -}}
{{- $collector := $proxy.tracing.collector -}}
{{- if not (and $collector.endpoint $collector.meshIdentity.serviceAccountName $collector.meshIdentity.namespace) -}}
{{- fail "proxy.tracing.enabled needs proxy.tracing.collector.endpoint, and serviceAccountName and namespace of proxy.tracing.collector.meshIdentity" -}}
{{- end -}}
{{- end -}}
{{- end -}}
