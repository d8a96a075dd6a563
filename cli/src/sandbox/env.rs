//! `linkerd sandbox env`: what the real proxy needs to run as a pod of the sandbox.

use super::world::text;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::{net::SocketAddr, path::Path};

/// Where the proxy finds the sandbox and its own files.
pub struct Surroundings<'a> {
    /// Identity, destination and policy servers.
    pub identity: SocketAddr,
    /// See above.
    pub destination: SocketAddr,
    /// See above.
    pub policy: SocketAddr,
    /// Folder with `csr.der`, `key.p8` and `token`.
    pub folder: &'a Path,
}

/// The environment of a pod's proxy, in order.
///
/// It is the one that the injector gave to the container, with its variables expanded, and with the
/// addresses of the sandbox instead of those of a cluster. The proxy listens on the pod's address
/// alone, so that several run on one machine.
///
/// # Errors
/// When the pod has no proxy, or no address.
pub fn environment(pod: &Value, surroundings: &Surroundings<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let name = format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let container = proxy(pod).with_context(|| {
        format!("pod {name} has no proxy; annotate it or its namespace with linkerd.io/inject: enabled")
    })?;
    let address = text(&pod["status"]["podIP"]);
    if address.is_empty() {
        bail!("pod {name} has no address yet");
    }
    let mut variables: Vec<(String, String)> = Vec::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let value = match variable["value"].as_str() {
            Some(value) => expand(value, &variables),
            None => field(pod, text(&variable["valueFrom"]["fieldRef"]["fieldPath"])),
        };
        let (name, value) = (text(&variable["name"]), value);
        match variables.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => variables.push((name.to_owned(), value)),
        }
    }
    for (name, value) in &mut variables {
        if let Some(replaced) = replacement(name, value, address, surroundings) {
            *value = replaced;
        }
    }
    // Variables that only help to expand others.
    variables.retain(|(name, _)| !name.starts_with('_'));
    Ok(variables)
}

fn proxy(pod: &Value) -> Option<&Value> {
    let containers = ["initContainers", "containers"].into_iter().flat_map(|list| pod["spec"][list].as_array());
    containers.flatten().find(|container| container["name"] == linkerd_k8s::names::PROXY_CONTAINER)
}

/// Replaces `$(NAME)` by the value of a variable that came before, as the kubelet does.
fn expand(value: &str, variables: &[(String, String)]) -> String {
    let mut expanded = value.to_owned();
    for (name, value) in variables {
        expanded = expanded.replace(&format!("$({name})"), value);
    }
    expanded
}

fn field(pod: &Value, path: &str) -> String {
    if path == "status.podIPs" {
        let addresses = pod["status"]["podIPs"].as_array().into_iter().flatten().map(|entry| text(&entry["ip"]));
        return addresses.collect::<Vec<_>>().join(",");
    }
    if path == "spec.serviceAccountName" && text(&pod["spec"]["serviceAccountName"]).is_empty() {
        return "default".to_owned();
    }
    let pointer = format!("/{}", path.replace('.', "/"));
    pod.pointer(&pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn replacement(name: &str, value: &str, address: &str, surroundings: &Surroundings<'_>) -> Option<String> {
    let folder = |file: &str| Some(surroundings.folder.join(file).display().to_string());
    match name.strip_prefix("LINKERD2_PROXY_")? {
        "IDENTITY_SVC_ADDR" => Some(surroundings.identity.to_string()),
        "DESTINATION_SVC_ADDR" => Some(surroundings.destination.to_string()),
        "POLICY_SVC_ADDR" => Some(surroundings.policy.to_string()),
        "IDENTITY_DIR" => Some(surroundings.folder.display().to_string()),
        "IDENTITY_TOKEN_FILE" => folder("token"),
        "INBOUND_LISTEN_ADDR"
        | "ADMIN_LISTEN_ADDR"
        | "CONTROL_LISTEN_ADDR"
        | "OUTBOUND_LISTEN_ADDR"
        | "OUTBOUND_LISTEN_ADDRS" => {
            let first = value.split(',').next().unwrap_or_default();
            let (_, port) = first.rsplit_once(':')?;
            Some(format!("{address}:{port}"))
        }
        _ => None,
    }
}

/// The environment as commands of a shell.
pub fn shell(variables: &[(String, String)]) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "web-1", "namespace": "n", "uid": "u"},
            "spec": {"nodeName": "sandbox", "initContainers": [{"name": "linkerd-proxy", "env": [
                {"name": "_pod_ns", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "_pod_sa", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
                {"name": "LINKERD2_PROXY_INBOUND_IPS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIPs"}}},
                {"name": "LINKERD2_PROXY_POLICY_SVC_ADDR", "value": "linkerd-policy.linkerd.svc.cluster.local.:8090"},
                {"name": "LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "value": "[::]:4191"},
                {"name": "LINKERD2_PROXY_IDENTITY_LOCAL_NAME", "value": "$(_pod_sa).$(_pod_ns).serviceaccount"},
                {"name": "LINKERD2_PROXY_LOG", "value": "it's"},
                {"name": "LINKERD2_PROXY_LOG", "value": "debug"},
            ]}]},
            "status": {"podIP": "127.64.0.7", "podIPs": [{"ip": "127.64.0.7"}]},
        })
    }

    fn surroundings() -> Surroundings<'static> {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Surroundings {
            identity: address(8080),
            destination: address(8086),
            policy: address(8090),
            folder: Path::new("dir"),
        }
    }

    #[test]
    fn variables_are_expanded_and_point_at_the_sandbox() {
        let environment = environment(&pod(), &surroundings()).unwrap();
        let expected = [
            ("LINKERD2_PROXY_INBOUND_IPS", "127.64.0.7"),
            ("LINKERD2_PROXY_POLICY_SVC_ADDR", "127.0.0.1:8090"),
            ("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "127.64.0.7:4191"),
            ("LINKERD2_PROXY_IDENTITY_LOCAL_NAME", "default.n.serviceaccount"),
            ("LINKERD2_PROXY_LOG", "debug"),
        ];
        assert_eq!(environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_pod_without_proxy_is_an_error_that_says_what_to_do() {
        let error = environment(&json!({"metadata": {"name": "a", "namespace": "n"}}), &surroundings()).unwrap_err();
        assert!(error.to_string().contains("pod n/a has no proxy; annotate"), "{error}");
    }

    #[test]
    fn a_shell_reads_values_as_they_are() {
        assert_eq!(shell(&[("A".to_owned(), "it's".to_owned())]), "export A='it'\\''s'\n");
    }
}
