//! Which objects a cluster has, to see what is left behind.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, verbs};

/// Kinds that come and go by themselves, or that say how the cluster is doing.
const IGNORED: [&str; 2] = ["Event", "ComponentStatus"];

/// Every object of every kind that can be listed, as `Kind.group namespace/name`.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn all(client: &Client) -> Result<BTreeSet<String>> {
    let discovery = Discovery::new(client.clone()).run().await.context("cannot ask for the kinds")?;
    let mut objects = BTreeSet::new();
    for (resource, capabilities) in discovery.groups().flat_map(|group| group.recommended_resources()) {
        if !capabilities.supports_operation(verbs::LIST) || IGNORED.contains(&resource.kind.as_str()) {
            continue;
        }
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let list = match api.list_metadata(&ListParams::default()).await {
            Ok(list) => list,
            // A definition that was removed in between.
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot list {}", resource.plural)),
        };
        for object in list.items {
            let namespace = object.metadata.namespace.unwrap_or_default();
            let name = object.metadata.name.unwrap_or_default();
            objects.insert(format!("{}.{} {namespace}/{name}", resource.kind, resource.group));
        }
    }
    Ok(objects)
}
