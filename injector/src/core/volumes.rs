//! Volumes that injection adds, and where the added containers mount them.

use crate::core::{
    config::Config,
    env::{END_ENTITY_DIR, PODINFO_DIR, TOKEN_DIR, TOKEN_FILE},
    pod::{MountView, PodView},
};
use linkerd_k8s::names::IDENTITY_AUDIENCE;
use serde_json::{Value, json};

/// Holds the proxy's key and certificate request, in memory.
pub const END_ENTITY: &str = "linkerd-identity-end-entity";
/// Holds the token that is bound to the identity service.
pub const TOKEN: &str = "linkerd-identity-token";
/// Holds the pod's labels.
pub const PODINFO: &str = "linkerd-podinfo";
/// Holds the lock of iptables, unless the values name it otherwise.
pub const XTABLES_LOCK: &str = "linkerd-proxy-init-xtables-lock";

/// Seconds that a projected token is valid.
const TOKEN_SECONDS: u32 = 86_400;

/// The volume of `linkerd-init`.
pub fn xtables_lock(config: &Config) -> Value {
    json!({ "name": config.values.proxy_init.xt_mount_path.name, "emptyDir": {} })
}

/// The volumes of the proxy, in order.
pub fn of_proxy(config: &Config) -> Vec<Value> {
    let mut volumes = vec![json!({ "name": END_ENTITY, "emptyDir": { "medium": "Memory" } })];
    if config.values.proxy.tracing.enabled {
        let labels = json!({ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } });
        volumes.push(json!({ "name": PODINFO, "downwardAPI": { "items": [labels] } }));
    }
    if config.values.identity.service_account_token_projection {
        let token = json!({
            "path": TOKEN_FILE,
            "expirationSeconds": TOKEN_SECONDS,
            "audience": IDENTITY_AUDIENCE,
        });
        volumes.push(json!({ "name": TOKEN, "projected": { "sources": [{ "serviceAccountToken": token }] } }));
    }
    volumes
}

/// The mounts of the proxy.
pub fn proxy_mounts(config: &Config, pod: &PodView) -> Vec<Value> {
    let mut mounts = Vec::new();
    if config.values.proxy.tracing.enabled {
        mounts.push(json!({ "name": PODINFO, "mountPath": PODINFO_DIR }));
    }
    mounts.push(json!({ "name": END_ENTITY, "mountPath": END_ENTITY_DIR }));
    if config.values.identity.service_account_token_projection {
        mounts.push(json!({ "name": TOKEN, "mountPath": TOKEN_DIR }));
    }
    mounts.extend(pod.service_account_mount().map(same_mount));
    mounts
}

/// The mounts of `linkerd-init`.
pub fn init_mounts(config: &Config, pod: &PodView) -> Vec<Value> {
    let lock = &config.values.proxy_init.xt_mount_path;
    let mut mounts = vec![json!({ "name": lock.name, "mountPath": lock.mount_path })];
    mounts.extend(pod.service_account_mount().map(same_mount));
    mounts
}

fn same_mount(mount: &MountView) -> Value {
    json!({ "name": mount.name, "mountPath": mount.mount_path, "readOnly": mount.read_only })
}
