//! Names of labels, annotations, ports and containers: the vocabulary shared with manifests.

/// Labels that Linkerd reads from or writes to objects.
pub mod label {
    /// Present on a pod means meshed; its value is the namespace of the control plane that serves it.
    pub const CONTROL_PLANE_NS: &str = "linkerd.io/control-plane-ns";
    /// Component of the control plane that an object belongs to.
    pub const CONTROL_PLANE_COMPONENT: &str = "linkerd.io/control-plane-component";
    /// Namespace of an injected workload.
    pub const WORKLOAD_NS: &str = "linkerd.io/workload-ns";
    /// Prefix of the label that names a pod's owner: `linkerd.io/proxy-<kind>`.
    pub const PROXY_OWNER_PREFIX: &str = "linkerd.io/proxy-";
    /// Marks CNI plug-in objects.
    pub const CNI_RESOURCE: &str = "linkerd.io/cni-resource";
    /// Service that an EndpointSlice belongs to.
    pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
    /// Who writes an EndpointSlice.
    pub const ENDPOINT_SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
    /// Marks the EndpointSlices of a headless Service.
    pub const HEADLESS_SERVICE: &str = "service.kubernetes.io/headless";
    /// Zone of a node.
    pub const TOPOLOGY_ZONE: &str = "topology.kubernetes.io/zone";
    /// Hash of the pod template, on pods of a Deployment.
    pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";
    /// Cluster that a mirrored EndpointSlice comes from.
    pub const MIRROR_CLUSTER_NAME: &str = "mirror.linkerd.io/cluster-name";
    /// Cluster in which a Service's endpoints are looked up.
    pub const REMOTE_DISCOVERY: &str = "multicluster.linkerd.io/remote-discovery";
    /// Name of the Service in that cluster.
    pub const REMOTE_SERVICE: &str = "multicluster.linkerd.io/remote-service";
}

/// Annotations that Linkerd reads from or writes to objects.
pub mod annotation {
    /// `enabled`, `ingress` or `disabled`, on namespaces and pods.
    pub const INJECT: &str = "linkerd.io/inject";
    /// Program that made or changed an object.
    pub const CREATED_BY: &str = "linkerd.io/created-by";
    /// Tag of the injected proxy image.
    pub const PROXY_VERSION: &str = "linkerd.io/proxy-version";
    /// SHA-256, in lower-case hex, of the trust anchors that a pod was injected with.
    pub const TRUST_ROOT_SHA256: &str = "linkerd.io/trust-root-sha256";
    /// Prefix of configuration annotations.
    pub const CONFIG_PREFIX: &str = "config.linkerd.io/";
    /// Ports on which the proxy does not detect the protocol.
    pub const OPAQUE_PORTS: &str = "config.linkerd.io/opaque-ports";
    /// Inbound ports that bypass the proxy.
    pub const SKIP_INBOUND_PORTS: &str = "config.linkerd.io/skip-inbound-ports";
    /// Default policy of inbound ports without a Server.
    pub const DEFAULT_INBOUND_POLICY: &str = "config.linkerd.io/default-inbound-policy";
    /// Inbound ports on which clients need an identity.
    pub const REQUIRE_IDENTITY_INBOUND_PORTS: &str = "config.linkerd.io/proxy-require-identity-inbound-ports";
    /// Identity of the gateway in front of mirrored endpoints.
    pub const REMOTE_GATEWAY_IDENTITY: &str = "mirror.linkerd.io/remote-gateway-identity";
    /// Fully qualified name of a mirrored Service in its own cluster.
    pub const REMOTE_SVC_FQ_NAME: &str = "mirror.linkerd.io/remote-svc-fq-name";
    /// Members of a federated Service in other clusters.
    pub const FEDERATED_REMOTE: &str = "multicluster.linkerd.io/remote-discovery";
    /// Member of a federated Service in this cluster.
    pub const FEDERATED_LOCAL: &str = "multicluster.linkerd.io/local-discovery";
}

/// Name of the proxy's container.
pub const PROXY_CONTAINER: &str = "linkerd-proxy";
/// Name of the init container that redirects traffic.
pub const INIT_CONTAINER: &str = "linkerd-init";
/// Name of the init container that checks redirection by the CNI plug-in.
pub const VALIDATOR_CONTAINER: &str = "linkerd-network-validator";
/// Name of the optional debug container.
pub const DEBUG_CONTAINER: &str = "linkerd-debug";
/// Audience of the token with which a proxy certifies itself.
pub const IDENTITY_AUDIENCE: &str = "identity.l5d.io";
