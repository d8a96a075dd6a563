//! Notices that somebody changed the Secret or the configuration of a webhook.

use super::ManagedWebhook;
use futures::{Stream, StreamExt, future::ready, stream::BoxStream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        watcher::{Config, watcher},
    },
};

/// Longest life of one watch request, in seconds: a connection that died silently is noticed this long after
/// it did.
const WATCH_SECONDS: u32 = 120;

/// One item for each change. What cannot be watched is silent, and looked at from time to time all the same.
pub fn of(client: &Client, webhook: &ManagedWebhook) -> BoxStream<'static, ()> {
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), &webhook.namespace);
    let configurations: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client.clone(), &webhook.kind.resource());
    let secret = changes(secrets, &webhook.secret());
    let configuration = changes(configurations, &webhook.configuration());
    futures::stream::select(secret, configuration).boxed()
}

fn changes<K>(api: Api<K>, name: &str) -> impl Stream<Item = ()> + Send + use<K>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
    K::DynamicType: Send + Sync,
{
    let config = Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    let name = name.to_owned();
    watcher(api, config).default_backoff().filter_map(move |event| {
        if let Err(error) = &event {
            tracing::debug!(name, %error, "cannot be watched");
        }
        ready(event.ok().map(drop))
    })
}
