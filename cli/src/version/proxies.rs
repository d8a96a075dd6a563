//! Which versions of the proxy run.

use crate::{cluster::ask, port_forward::containers};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use linkerd_k8s::names::{PROXY_CONTAINER, label::CONTROL_PLANE_NS};
use std::{collections::BTreeMap, fmt};

/// Pods that are read at once.
const PAGE: u32 = 500;

/// Numbers of pods by the tag of their proxy's image; the tag is empty for an image that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(BTreeMap<String, usize>);

impl Proxies {
    /// Counts the pods of a control plane's mesh, in all namespaces or in one.
    ///
    /// # Errors
    /// When the cluster does not tell.
    pub async fn count(client: &Client, control_plane: &str, namespace: Option<&str>) -> anyhow::Result<Self> {
        let pods: Api<Pod> = match namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let mut page = ListParams::default().labels(&format!("{CONTROL_PLANE_NS}={control_plane}")).limit(PAGE);
        let mut proxies = Self::default();
        loop {
            let read = ask(pods.list(&page)).await?;
            read.items.iter().for_each(|pod| proxies.add(pod));
            match read.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(proxies),
            }
        }
    }

    fn add(&mut self, pod: &Pod) {
        if let Some(proxy) = containers(pod).find(|container| container.name == PROXY_CONTAINER) {
            let tag = tag(proxy.image.as_deref().unwrap_or_default());
            *self.0.entry(tag.to_owned()).or_default() += 1;
        }
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "Proxy versions: none");
        }
        writeln!(f, "Proxy versions:")?;
        self.0.iter().try_for_each(|(version, pods)| writeln!(f, "\t{version} ({pods} pods)"))
    }
}

/// The tag of an image, empty if there is none.
fn tag(image: &str) -> &str {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':').map_or("", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Acceptance case 62 of the command line.
    #[test]
    fn pods_are_counted_by_the_tag_of_their_proxy() {
        let mut proxies = Proxies::default();
        for (list, name, image) in [
            ("initContainers", "linkerd-proxy", "r:5000/proxy:v2"),
            ("containers", "linkerd-proxy", "proxy:v1"),
            ("containers", "linkerd-proxy", "proxy:v2@sha256:00"),
            ("containers", "policy", "policy:v3"),
        ] {
            let mut spec = json!({"containers": []});
            spec[list] = json!([{"name": name, "image": image}]);
            proxies.add(&serde_json::from_value(json!({"spec": spec})).unwrap());
        }
        assert_eq!(proxies.to_string(), "Proxy versions:\n\tv1 (1 pods)\n\tv2 (2 pods)\n");
        assert_eq!(Proxies::default().to_string(), "Proxy versions: none\n");
    }

    #[test]
    fn an_image_may_have_a_port_a_digest_or_no_tag() {
        assert_eq!(tag("r:5000/proxy"), "");
        assert_eq!(tag("r/proxy@sha256:00"), "");
        assert_eq!(tag("proxy:v1"), "v1");
    }
}
